/* SPDX-License-Identifier: BSD-2-Clause */
/* A unit test with a Kafka of its own: does a record survive a broker that refuses it at first?
 *
 *	cc test_with_broker.c $(pkg-config --cflags --libs klamm-broker)
 */
#include <stdio.h>
#include <stdlib.h>

#include <klamm/broker.h>
#include <klamm/klamm.h>

static struct klamm_error err;

static void check(int good, const char *what)
{
	if (good)
		return;
	printf("not ok 1 - %s: %s\n", what, err.text);
	exit(1);
}
#define OK(call) check((call) == 0, #call)

int main(void)
{
	struct klamm_broker_options options = {.size = sizeof(options)};
	struct klamm_broker *broker;
	int32_t fault;
	OK(klamm_broker_new(&options, &broker, &err));
	OK(klamm_broker_fault(broker, "produce error=NOT_ENOUGH_REPLICAS", &fault, &err));

	struct klamm_conf *conf;
	struct klamm_producer *producer;
	OK(klamm_conf_new(&conf, &err));
	OK(klamm_conf_set(conf, "bootstrap.servers", klamm_broker_address(broker), &err));
	OK(klamm_producer_new(conf, NULL, &producer, &err));

	struct klamm_record record = KLAMM_RECORD_INIT;
	record.value = (struct klamm_span){"hello", 5};
	OK(klamm_producer_send_to(producer, "greetings", &record, NULL, &err));
	OK(klamm_producer_close(producer, 30000, &err));

	int64_t end;
	OK(klamm_broker_offsets(broker, "greetings", 0, NULL, &end, &err));
	check(end == 1, "the record is there, once");
	check(klamm_broker_fault_hits(broker, fault) == 1, "after it was refused");
	klamm_conf_free(conf);
	klamm_broker_free(broker);
	printf("1..1\nok 1 - a record survives a refusal\n");
	return 0;
}

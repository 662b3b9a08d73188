/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/tls/ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAIRS 64
static char *pairs[PAIRS];
static int pair_count;

const char *ask_pair(const char *key, const char *value)
{
	ck_assert_int_lt(pair_count, PAIRS);
	ck_assert_int_gt(asprintf(&pairs[pair_count], "%s=%s", key, value), 0);
	return pairs[pair_count++];
}

const char *ask_ca(void)
{
	return certs_pem("ca.pem", &certs_ca);
}

void ask_begin(void)
{
	certs_up();
}

void ask_start(struct klamm_broker_options options)
{
	if (options.tls_certificate == NULL)
		options.tls_certificate = certs_both("broker.pem", &certs_broker, NULL);
	world_start(options);
}

void ask_up(void)
{
	ask_begin();
	ask_start((struct klamm_broker_options){0});
}

void ask_up_mutual(void)
{
	ask_begin();
	ask_start((struct klamm_broker_options){.tls_ca = ask_ca()});
}

void ask_down(void)
{
	world_down();
	certs_down();
	while (pair_count > 0)
		free(pairs[--pair_count]);
}

int ask_of(struct klamm_conf *conf, struct klamm_error *err)
{
	struct klamm_admin *admin;
	struct klamm_cluster_description *cluster;
	int rc = klamm_admin_new(conf, NULL, &admin, err);
	klamm_conf_free(conf);
	if (rc != 0)
		return rc;
	rc = klamm_admin_describe_cluster(admin, PATIENCE, &cluster, err);
	if (rc == 0)
		klamm_cluster_description_free(cluster);
	klamm_admin_free(admin);
	return rc;
}

int ask(struct klamm_error *err, const char *pair, ...)
{
	struct klamm_conf *conf = world_conf("security.protocol=SSL", NULL);
	va_list rest;
	va_start(rest, pair);
	int rc = 0;
	for (; pair != NULL && rc == 0; pair = va_arg(rest, const char *))
		rc = klamm_conf_set_pair(conf, pair, err);
	va_end(rest);
	if (rc == 0)
		return ask_of(conf, err);
	klamm_conf_free(conf);
	return rc;
}

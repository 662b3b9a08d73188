/* SPDX-License-Identifier: BSD-2-Clause */
/* klamm cluster describe */
#include "cli/group.h"
#include "cli/io.h"
#include "cli/session.h"
#include "cli/table.h"
#include "core/base/text.h"

struct options {
	bool json;
};

static void print_json(const struct klamm_cluster_description *cluster)
{
	KL_AUTO(kl_buf_free) struct kl_buf b = {0};
	kl_buf_printf(&b, "{\"cluster\":");
	if (cluster->id != NULL)
		kl_buf_json_bytes(&b, cluster->id, strlen(cluster->id));
	else
		kl_buf_printf(&b, "null");
	cli_json_offset(&b, "controller", cluster->controller);
	kl_buf_printf(&b, ",\"brokers\":[");
	for (size_t i = 0; i < cluster->broker_count; i++) {
		const struct klamm_broker_description *broker = cluster->brokers[i];
		kl_buf_printf(&b, "%s{\"broker\":%d", i > 0 ? "," : "", broker->id);
		cli_json_text(&b, "host", broker->host);
		kl_buf_printf(&b, ",\"port\":%d", broker->port);
		cli_json_text(&b, "rack", broker->rack);
		kl_buf_printf(&b, "}");
	}
	cli_print(&b, "]}\n");
}

static void print_table(const struct klamm_cluster_description *cluster)
{
	struct cli_table table = {.columns = 4};
	KL_AUTO(kl_buf_free) struct kl_buf head = {0};
	kl_buf_printf(&head, "%s: %zu broker%s, controller ", cli_or_dash(cluster->id),
		      cluster->broker_count, cluster->broker_count == 1 ? "" : "s");
	if (cluster->controller >= 0)
		cli_put_int(&head, cluster->controller);
	else
		cli_put_text(&head, "not known");
	cli_print_line(&head);
	cli_cell(&table, "BROKER");
	cli_cell(&table, "HOST");
	cli_cell(&table, "PORT");
	cli_cell(&table, "RACK");
	for (size_t i = 0; i < cluster->broker_count; i++) {
		const struct klamm_broker_description *broker = cluster->brokers[i];
		cli_cell(&table, "%d", broker->id);
		cli_cell_text(&table, broker->host);
		cli_cell(&table, "%d", broker->port);
		cli_cell_text(&table, cli_or_dash(broker->rack));
	}
	cli_table_print(&table, "  ");
	cli_table_free(&table);
}

static int run(struct cli *cli, const void *options, const struct cli_list *args)
{
	const struct options *o = options;
	struct klamm_cluster_description *cluster;
	struct klamm_error err;
	struct cli_session s = {0};
	int status = cli_session_open(cli, &s);
	if (status == CLI_OK &&
	    klamm_admin_describe_cluster(s.admin, s.timeout_ms, &cluster, &err) != 0)
		status = cli_error(&err);
	if (status == CLI_OK) {
		if (o->json)
			print_json(cluster);
		else
			print_table(cluster);
		klamm_cluster_description_free(cluster);
	}
	cli_session_close(&s);
	return status;
}

static const struct cli_option rows[] = {
	{'J', "json", NULL, CLI_FLAG, offsetof(struct options, json), 0, 0,
	 "print it as a JSON object"},
	{0},
};

const struct cli_command cli_cluster_describe = {
	.name = "cluster describe",
	.args = "",
	.summary = "show the cluster's id, its controller and its brokers",
	.options = rows,
	.size = sizeof(struct options),
	.run = run,
};

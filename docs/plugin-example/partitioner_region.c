/* Keys look like "eu:4711": all records of a region go to one partition. */
#include <klamm/partitioner.h>

#include <stdlib.h>

struct conf {
	int32_t first; /* partitions below it are for others */
};

static const struct klamm_option options[] = {
	{.name = "partitioner.region.first", .type = KLAMM_OPTION_INT,
	 .offset = offsetof(struct conf, first), .def = "0", .range = "0..",
	 .doc = "The first partition that may be used."},
	{NULL},
};

static int region_open(const struct klamm_host *host, const void *conf, void **self_out,
		       struct klamm_error *err)
{
	*self_out = malloc(sizeof(struct conf));
	if (*self_out == NULL)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	memcpy(*self_out, conf, sizeof(struct conf));
	return 0;
}

static void region_close(void *self)
{
	free(self);
}

static int32_t region_pick(void *self, const struct klamm_pick *in)
{
	const struct conf *conf = self;
	const char *p = in->key.data, *end = p + in->key.len;
	uint32_t hash = 0;
	if (conf->first >= in->partition_count)
		return KLAMM_ERR_PARTITION;
	for (; p < end && *p != ':'; p++)
		hash = hash * 31 + (unsigned char)*p;
	return conf->first + (int32_t)(hash % (uint32_t)(in->partition_count - conf->first));
}

KLAMM_PLUGIN(partitioner, region) = {
	.head = {
		KLAMM_PLUGIN_HEAD(partitioner, "region", "by the region in front of the key"),
		.options = options,
		.option_size = sizeof(options[0]),
		.conf_size = sizeof(struct conf),
		.open = region_open,
		.close = region_close,
	},
	.flags = KLAMM_PARTITIONER_NEEDS_KEY,
	.pick = region_pick,
};

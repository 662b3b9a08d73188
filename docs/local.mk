EXTRA_DIST += %D%/SCHEMA.md
EXTRA_DIST += \
	%D%/DEVBROKER.md \
	%D%/PLUGINS.md \
	%D%/plugin-example/partitioner_region.c
dist_man_MANS += %D%/klamm.1
EXTRA_DIST += %D%/BENCH.md

EXTRA_DIST += %D%/doc.md
metrics_jsonl_sources = %D%/metrics_jsonl.c %D%/line.c %D%/line.h

if BUILTIN_metrics_jsonl
libklamm_la_SOURCES += $(metrics_jsonl_sources)
endif

if SHARED_metrics_jsonl
plugin_LTLIBRARIES += plugins/metrics_jsonl.la
plugins_metrics_jsonl_la_SOURCES = $(metrics_jsonl_sources)
plugins_metrics_jsonl_la_CFLAGS = $(CFLAGS_OF_PLUGINS)
plugins_metrics_jsonl_la_LDFLAGS = $(LDFLAGS_OF_PLUGINS)
endif

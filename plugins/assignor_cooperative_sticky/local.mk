EXTRA_DIST += %D%/doc.md
assignor_cooperative_sticky_sources = %D%/assignor_cooperative_sticky.c

if BUILTIN_assignor_cooperative_sticky
libklamm_la_SOURCES += $(assignor_cooperative_sticky_sources)
endif

if SHARED_assignor_cooperative_sticky
plugin_LTLIBRARIES += plugins/assignor_cooperative_sticky.la
plugins_assignor_cooperative_sticky_la_SOURCES = $(assignor_cooperative_sticky_sources)
plugins_assignor_cooperative_sticky_la_CFLAGS = $(CFLAGS_OF_PLUGINS)
plugins_assignor_cooperative_sticky_la_LDFLAGS = $(LDFLAGS_OF_PLUGINS)
endif

bin_PROGRAMS += %D%/klamm
%C%_klamm_SOURCES = \
	%D%/cli.h \
	%D%/main.c %D%/commands.c %D%/parse.c %D%/help.c %D%/tell.c %D%/words.c %D%/conf.c \
	%D%/signals.c \
	%D%/io.c %D%/io.h \
	%D%/value.c %D%/value.h \
	%D%/reader.c %D%/reader.h \
	%D%/format.c %D%/format.h \
	%D%/place.c %D%/place.h \
	%D%/table.c %D%/table.h \
	%D%/wire.c %D%/wire.h \
	%D%/bench.c %D%/bench.h \
	%D%/cmd_bench.c \
	%D%/cmd_broker.c \
	%D%/cmd_completion.c %D%/completion_bash.c %D%/completion_zsh.c %D%/completion.h \
	%D%/cmd_config.c \
	%D%/cmd_config_dump.c \
	%D%/cmd_consume.c \
	%D%/cmd_plugin.c \
	%D%/cmd_produce.c \
	%D%/cmd_topic.c \
	%D%/cmd_version.c \
	%D%/cmd_wire.c
%C%_klamm_CFLAGS = $(AM_CFLAGS) $(JSONC_CFLAGS)
%C%_klamm_LDADD = libklamm-broker.la libklamm.la $(JSONC_LIBS) $(OPENSSL_LIBS)

# The program is cli/klamm; ./klamm of the build folder starts it with this tree's plugins,
# which a program that is not installed yet would look for in the wrong place.
noinst_SCRIPTS += klamm
CLEANFILES += klamm
klamm: Makefile
	$(AM_V_GEN){ echo '#!/bin/sh'; \
	echo 'KLAMM_PLUGIN_PATH=$${KLAMM_PLUGIN_PATH-$(abs_top_builddir)/plugins/.libs}'; \
	echo 'export KLAMM_PLUGIN_PATH'; \
	echo 'exec "$(abs_top_builddir)/cli/klamm" "$$@"'; } >$@ && chmod +x $@

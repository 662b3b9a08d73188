bin_PROGRAMS += %D%/klamm
%C%_klamm_SOURCES = \
	%D%/cli.h \
	%D%/main.c %D%/commands.c %D%/parse.c %D%/help.c %D%/tell.c %D%/words.c %D%/conf.c \
	%D%/signals.c \
	%D%/io.c %D%/io.h \
	%D%/value.c %D%/value.h \
	%D%/reader.c %D%/reader.h \
	%D%/produce.c %D%/produce.h \
	%D%/report.c %D%/report.h \
	%D%/txn.c %D%/txn.h \
	%D%/format.c %D%/format.h \
	%D%/place.c %D%/place.h \
	%D%/session.c %D%/session.h \
	%D%/table.c %D%/table.h \
	%D%/group.c %D%/group.h %D%/group_show.c \
	%D%/parts.c %D%/parts.h \
	%D%/seek.c %D%/seek.h \
	%D%/wire.c %D%/wire.h \
	%D%/bench.c %D%/bench.h \
	%D%/cmd_bench.c \
	%D%/cmd_broker.c \
	%D%/cmd_cluster.c \
	%D%/cmd_completion.c %D%/completion_bash.c %D%/completion_zsh.c %D%/completion.h \
	%D%/cmd_config.c \
	%D%/cmd_config_dump.c \
	%D%/cmd_consume.c \
	%D%/consume.h %D%/consume_dead.c %D%/consume_group.c %D%/consume_parts.c \
	%D%/cmd_fault.c \
	%D%/cmd_group.c \
	%D%/cmd_group_change.c \
	%D%/cmd_group_describe.c \
	%D%/cmd_group_lag.c \
	%D%/cmd_group_seek.c \
	%D%/cmd_plugin.c \
	%D%/cmd_plugin_check.c \
	%D%/cmd_plugin_new.c \
	%D%/cmd_produce.c \
	%D%/cmd_topic.c \
	%D%/cmd_topic_offsets.c \
	%D%/cmd_topic_records.c \
	%D%/cmd_version.c \
	%D%/cmd_wire.c
%C%_klamm_CFLAGS = $(AM_CFLAGS) $(JSONC_CFLAGS)
%C%_klamm_LDADD = kit/libkit.la libklamm-broker.la libklamm.la $(JSONC_LIBS) $(OPENSSL_LIBS)

# The program is cli/klamm; ./klamm of the build folder starts it with this tree's plugins,
# which a program that is not installed yet would look for in the wrong place.
noinst_SCRIPTS += klamm
CLEANFILES += klamm
klamm: Makefile
	$(AM_V_GEN){ echo '#!/bin/sh'; \
	echo 'KLAMM_PLUGIN_PATH=$${KLAMM_PLUGIN_PATH-$(abs_top_builddir)/plugins/.libs}'; \
	echo 'export KLAMM_PLUGIN_PATH'; \
	echo 'exec "$(abs_top_builddir)/cli/klamm" "$$@"'; } >$@ && chmod +x $@

# What `klamm plugin new` writes: each file becomes a text called skeleton_<its name>.
SKELETONS = \
	%D%/skeleton/Makefile.txt \
	%D%/skeleton/doc.md \
	%D%/skeleton/assignor.c \
	%D%/skeleton/codec.c \
	%D%/skeleton/metrics.c \
	%D%/skeleton/partitioner.c \
	%D%/skeleton/sasl.c \
	%D%/skeleton/serializer.c
EXTRA_DIST += $(SKELETONS)
BUILT_SOURCES += %D%/skeleton.h
CLEANFILES += %D%/skeleton.h
%D%/skeleton.h: $(SKELETONS)
	$(AM_V_GEN)$(MKDIR_P) %D% && for name in $(SKELETONS); do \
		if test -f "$$name"; then file=$$name; else file=$(srcdir)/$$name; fi; \
		word=`basename "$$name" | sed 's/\..*//'`; \
		echo "static const char skeleton_$$word[] ="; \
		sed 's/\\/\\\\/g; s/"/\\"/g; s/^/	"/; s/$$/\\n"/' "$$file"; \
		echo "	;"; \
	done >$@.new && mv $@.new $@
cli/klamm-cmd_plugin_new.$(OBJEXT): %D%/skeleton.h

# What shells complete, from the tables of commands and keys.
bashcompdir = $(datadir)/bash-completion/completions
dist_bashcomp_DATA = completions/klamm
zshcompdir = $(datadir)/zsh/site-functions
dist_zshcomp_DATA = completions/_klamm
if !CROSS_COMPILING
CLEANFILES += completions/klamm completions/_klamm
completions/klamm: cli/klamm$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) completions && cli/klamm completion bash >$@.tmp && mv $@.tmp $@

completions/_klamm: cli/klamm$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) completions && cli/klamm completion zsh >$@.tmp && mv $@.tmp $@
endif

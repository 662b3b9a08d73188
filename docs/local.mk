EXTRA_DIST += %D%/BENCH.md %D%/DESIGN.md %D%/SCHEMA.md
# What manual pages and headers send their readers to; README.md's links hold there.
docsdir = $(docdir)/docs
dist_docs_DATA = %D%/DEVBROKER.md %D%/PLUGINS.md

# Manual pages. klamm(1) is written by hand; the others are prose around what the tables and
# the public headers say. The tarball has them made.
dist_man_MANS += %D%/klamm.1 %D%/libklamm.3 %D%/klamm.conf.5 %D%/klamm_errors.7
EXTRA_DIST += %D%/libklamm.3.in %D%/klamm.conf.5.in %D%/klamm_errors.7.in %D%/functions.awk

noinst_PROGRAMS += %D%/manuals
%C%_manuals_SOURCES = %D%/manuals.c
%C%_manuals_LDADD = libklamm.la

# The file $@.part takes the place of a line of the .in file.
FILL_IN = sed -e "/^@$$name@\$$/{r $@.part" -e "d;}"

CLEANFILES += %D%/libklamm.3
%D%/libklamm.3: %D%/libklamm.3.in %D%/functions.awk $(pkginclude_HEADERS)
	$(AM_V_GEN)$(MKDIR_P) %D%; headers=; \
	for header in $(pkginclude_HEADERS); do headers="$$headers $(srcdir)/$$header"; done; \
	$(AWK) -f $(srcdir)/%D%/functions.awk $$headers >$@.part && name=FUNCTIONS && \
	$(FILL_IN) $(srcdir)/%D%/libklamm.3.in >$@.tmp && rm $@.part && mv $@.tmp $@

if !CROSS_COMPILING
CLEANFILES += %D%/klamm.conf.5 %D%/klamm_errors.7
%D%/klamm.conf.5: %D%/klamm.conf.5.in %D%/manuals$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) %D%; %D%/manuals keys >$@.part && name=KEYS && \
	$(FILL_IN) $(srcdir)/%D%/klamm.conf.5.in >$@.tmp && rm $@.part && mv $@.tmp $@

%D%/klamm_errors.7: %D%/klamm_errors.7.in %D%/manuals$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) %D%; %D%/manuals errors >$@.part && name=ERRORS && \
	$(FILL_IN) $(srcdir)/%D%/klamm_errors.7.in >$@.tmp && rm $@.part && mv $@.tmp $@
endif

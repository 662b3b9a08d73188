# The program is cli/klamm; ./klamm of the build folder starts it with this tree's plugins,
# which a program that is not installed yet would look for in the wrong place.
noinst_SCRIPTS += klamm
CLEANFILES += klamm
klamm: Makefile
	$(AM_V_GEN){ echo '#!/bin/sh'; \
	echo 'KLAMM_PLUGIN_PATH=$${KLAMM_PLUGIN_PATH-$(abs_top_builddir)/plugins/.libs}'; \
	echo 'export KLAMM_PLUGIN_PATH'; \
	echo 'exec "$(abs_top_builddir)/cli/klamm" "$$@"'; } >$@ && chmod +x $@

# The dev broker, asked by a client that speaks through the engine only.
check_PROGRAMS += %D%/test_broker
TESTS += %D%/test_broker
%C%_test_broker_CFLAGS = $(UNIT_CFLAGS)
%C%_test_broker_LDADD = libklamm-broker.la $(UNIT_LIBS)
%C%_test_broker_SOURCES = \
	%D%/group_peer.c %D%/group_peer.h \
	%D%/modern_peer.c %D%/modern_peer.h \
	%D%/peer.c %D%/peer.h \
	%D%/test_assign.c \
	%D%/test_compact.c \
	%D%/test_epochs.c \
	%D%/test_fault_text.c \
	%D%/test_faults.c \
	%D%/test_fetch_sessions.c \
	%D%/test_followers.c \
	%D%/test_garbage.c \
	%D%/test_groups.c \
	%D%/test_groups_kept.c \
	%D%/test_limits.c \
	%D%/test_log.c \
	%D%/test_mixed_groups.c \
	%D%/test_modern_groups.c \
	%D%/test_nodes.c \
	%D%/test_null.c \
	%D%/test_offsets.c \
	%D%/test_old.c \
	%D%/test_producers.c \
	%D%/test_records.c \
	%D%/test_refusal.c \
	%D%/test_retention.c \
	%D%/test_sasl.c \
	%D%/test_store.c \
	%D%/test_topics.c \
	%D%/test_txns.c \
	%D%/test_versions.c \
	%D%/txn_peer.c %D%/txn_peer.h

if SHARED_MODULES
check_LTLIBRARIES += %D%/endless/sasl_endless.la
%C%_endless_sasl_endless_la_CFLAGS = $(CFLAGS_OF_PLUGINS)
# -rpath makes libtool build a shared object of something that is never installed.
%C%_endless_sasl_endless_la_LDFLAGS = -module -avoid-version -shared -rpath /nowhere \
	$(AM_LDFLAGS)
%C%_test_broker_CPPFLAGS = $(AM_CPPFLAGS) -DENDLESS='"$(abs_builddir)/%D%/endless/.libs"'
%C%_test_broker_DEPENDENCIES = libklamm-broker.la %D%/endless/sasl_endless.la
endif

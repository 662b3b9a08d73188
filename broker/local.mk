lib_LTLIBRARIES += libklamm-broker.la
libklamm_broker_la_SOURCES = \
	%D%/add_offsets_to_txn.c \
	%D%/add_partitions_to_txn.c \
	%D%/alter_configs.c \
	%D%/api_versions.c \
	%D%/assign.c %D%/assign.h \
	%D%/assign_uniform.c \
	%D%/auth.c \
	%D%/batch_make.c %D%/batch_make.h \
	%D%/broker.c %D%/broker.h \
	%D%/call.c %D%/call.h \
	%D%/classic.c %D%/classic.h \
	%D%/classic_answer.c \
	%D%/classic_log.c \
	%D%/classic_rebalance.c \
	%D%/classic_sync.c \
	%D%/classic_topics.c \
	%D%/codecs.c %D%/codecs.h \
	%D%/compact.c %D%/compact.h \
	%D%/configs.c %D%/configs.h \
	%D%/commits.h \
	%D%/conn.c \
	%D%/consumer_group_describe.c \
	%D%/consumer_group_heartbeat.c \
	%D%/control.c \
	%D%/coordinators.c %D%/coordinators.h \
	%D%/create_topics.c \
	%D%/data.c %D%/data.h \
	%D%/delete_groups.c \
	%D%/delete_topics.c \
	%D%/describe_cluster.c \
	%D%/describe_configs.c \
	%D%/describe_groups.c \
	%D%/describe_producers.c \
	%D%/describe_topic_partitions.c \
	%D%/describe_transactions.c \
	%D%/dirty.c %D%/dirty.h \
	%D%/dispatch.c \
	%D%/embedded.c %D%/embedded.h \
	%D%/end_txn.c \
	%D%/expiry.c %D%/expiry.h \
	%D%/fault_effect.c \
	%D%/fault_text.c \
	%D%/faults.c %D%/faults.h \
	%D%/fetch.c %D%/fetch.h \
	%D%/fetch_plan.c \
	%D%/fetch_read.c \
	%D%/fetch_sessions.c %D%/fetch_sessions.h \
	%D%/find_coordinator.c \
	%D%/group_expiry.c \
	%D%/group_log.c \
	%D%/groups.c %D%/groups.h \
	%D%/heartbeat.c \
	%D%/index.c %D%/index.h \
	%D%/init_producer_id.c \
	%D%/join_group.c \
	%D%/keys.c %D%/keys.h \
	%D%/leave_group.c \
	%D%/list_groups.c \
	%D%/list_offsets.c \
	%D%/list_transactions.c \
	%D%/log.c %D%/log.h \
	%D%/log_time.c \
	%D%/member.c \
	%D%/metadata.c \
	%D%/migrate.h \
	%D%/migrate_down.c \
	%D%/migrate_up.c \
	%D%/modern.c %D%/modern.h \
	%D%/modern_beat.c %D%/modern_beat.h \
	%D%/modern_classic.c \
	%D%/modern_current.c \
	%D%/modern_log.c \
	%D%/modern_read.c \
	%D%/modern_regex.c \
	%D%/modern_target.c \
	%D%/modern_times.c \
	%D%/modern_topics.c \
	%D%/null.c %D%/null.h \
	%D%/offset_commit.c \
	%D%/offset_delete.c \
	%D%/offset_fetch.c \
	%D%/offset_for_leader_epoch.c \
	%D%/offsets.c %D%/offsets.h \
	%D%/old.c %D%/old.h \
	%D%/partitions.c \
	%D%/parts.c %D%/parts.h \
	%D%/pledge.c %D%/pledge.h \
	%D%/produce.c \
	%D%/produce_txn.c %D%/produce_txn.h \
	%D%/producers.c %D%/producers.h \
	%D%/producers_save.c \
	%D%/recover.c \
	%D%/remains.c %D%/remains.h \
	%D%/retention.c %D%/retention.h \
	%D%/rewrite.c %D%/rewrite.h \
	%D%/sasl.c %D%/sasl.h \
	%D%/sasl_settings.c %D%/sasl_settings.h \
	%D%/segment.c %D%/segment.h \
	%D%/settings.c %D%/settings.h \
	%D%/store.c %D%/store.h \
	%D%/sync.c \
	%D%/sync_group.c \
	%D%/table.c \
	%D%/tls.c %D%/tls.h \
	%D%/topics.c %D%/topics.h \
	%D%/truncate.c \
	%D%/txn_log.c \
	%D%/txn_markers.c \
	%D%/txn_offset_commit.c \
	%D%/txn_steps.c \
	%D%/txns.c %D%/txns.h \
	%D%/write_txn_markers.c
libklamm_broker_la_LIBADD = libklamm.la $(PCRE2_LIBS)
libklamm_broker_la_LDFLAGS = $(AM_LDFLAGS) -version-info 0:0:0 -no-undefined \
	-Wl,--exclude-libs,ALL -Wl,-Bsymbolic -Wl,--version-script=%D%/klamm-broker.map
libklamm_broker_la_DEPENDENCIES = libklamm.la %D%/klamm-broker.map

pkgconfig_DATA += klamm-broker.pc

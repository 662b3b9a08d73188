libklamm_la_SOURCES += \
	%D%/assign.c %D%/assign.h \
	%D%/assign_bytes.c \
	%D%/assign_racks.c %D%/assign_racks.h \
	%D%/assign_topics.c \
	%D%/batch.c \
	%D%/classic.c %D%/classic.h \
	%D%/classic_assign.c \
	%D%/classic_look.c \
	%D%/classic_member.c %D%/classic_member.h \
	%D%/classic_request.c \
	%D%/commit.c \
	%D%/commit_call.c \
	%D%/committed.c \
	%D%/committed_call.c \
	%D%/consumer.c %D%/consumer.h \
	%D%/decode.c \
	%D%/fetch.h %D%/fetch_answer.c %D%/fetch_large.c \
	%D%/fetch_request.c \
	%D%/fetch_session.c \
	%D%/fetch_source.c \
	%D%/fetcher.c \
	%D%/figures.c %D%/figures.h %D%/figures_group.c \
	%D%/group.c %D%/group.h \
	%D%/membership.c %D%/membership.h \
	%D%/modern.c %D%/modern.h \
	%D%/modern_heartbeat.c \
	%D%/modern_member.c %D%/modern_member.h \
	%D%/modern_names.c \
	%D%/modern_request.c \
	%D%/modern_set.c %D%/modern_set.h \
	%D%/lookup.c %D%/lookup.h %D%/lookup_request.c \
	%D%/names.c %D%/names.h \
	%D%/offsets.c \
	%D%/pattern.c %D%/pattern.h \
	%D%/position.c \
	%D%/rebalance.c \
	%D%/records.c \
	%D%/results.c \
	%D%/subscribe.c \
	%D%/subscription.c \
	%D%/topics.c \
	%D%/value.c

libklamm_la_SOURCES += \
	%D%/admin.c %D%/admin.h \
	%D%/describe.c \
	%D%/groups.c %D%/groups.h \
	%D%/groups_change.c \
	%D%/groups_commit.c \
	%D%/groups_describe.c \
	%D%/groups_offsets.c \
	%D%/groups_protocol.c \
	%D%/records.c \
	%D%/scatter.c %D%/scatter.h %D%/scatter_int.h \
	%D%/scatter_item.c %D%/scatter_part.c \
	%D%/topics.c

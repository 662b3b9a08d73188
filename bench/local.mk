# Not built by `make`: see docs/BENCH.md. `make bench` builds all of it; the peer needs
# librdkafka's headers.
bench_programs = %D%/assign %D%/record %D%/floor %D%/client %D%/count %D%/peer
EXTRA_PROGRAMS += $(bench_programs)

%C%_assign_SOURCES = %D%/assign.c
%C%_assign_LDADD = libklamm.la

%C%_record_SOURCES = %D%/record.c
%C%_record_LDADD = libklamm.la

%C%_floor_SOURCES = %D%/floor.c %D%/job.c %D%/job.h
%C%_floor_LDADD = libklamm.la

%C%_client_SOURCES = %D%/client.c %D%/job.c %D%/job.h %D%/load.c %D%/load.h
%C%_client_LDADD = libklamm.la

%C%_count_SOURCES = %D%/count.c %D%/job.c %D%/job.h %D%/load.c %D%/load.h
%C%_count_LDADD = libklamm.la

%C%_peer_SOURCES = %D%/peer.c %D%/job.c %D%/job.h
%C%_peer_LDADD = -lrdkafka

.PHONY: bench
bench: $(bench_programs)

EXTRA_DIST += %D%/run %D%/assign-gate %D%/gate %D%/gate.tsv %D%/ready

EXTRA_DIST += \
	%D%/Assign.java \
	%D%/GroupMember.java \
	%D%/Member.java \
	%D%/Place.java \
	%D%/crashes.py \
	%D%/feed.py \
	%D%/frame.py \
	%D%/klamm.py \
	%D%/library.py \
	%D%/main.py \
	%D%/member.py \
	%D%/members.py \
	%D%/peers.py \
	%D%/processes.py \
	%D%/records.py \
	%D%/requirements.txt \
	%D%/run \
	%D%/test_assignors.py \
	%D%/test_broker.py \
	%D%/test_broker_groups.py \
	%D%/test_exactly_once.py \
	%D%/test_groups.py \
	%D%/test_kafka.py \
	%D%/test_likeness.py \
	%D%/test_members.py \
	%D%/test_modern_members.py \
	%D%/test_nodes.py \
	%D%/test_nodes_once.py \
	%D%/test_offsets.py \
	%D%/test_old.py \
	%D%/test_outside.py \
	%D%/test_own_transactions.py \
	%D%/test_sasl.py \
	%D%/test_transactions.py \
	%D%/trouble.py

include tests/interop/oracle/local.mk

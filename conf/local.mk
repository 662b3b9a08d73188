# Files for the cases that README.md names. Those with every key of a kind of client come from
# the option table.
dist_sampleconf_DATA += \
	%D%/client.properties \
	%D%/demo.conf \
	%D%/latency.conf \
	%D%/profiles.conf \
	%D%/throughput.conf

SAMPLES = %D%/admin.conf %D%/common.conf %D%/consumer.conf %D%/producer.conf
dist_sampleconf_DATA += $(SAMPLES)

if !CROSS_COMPILING
CLEANFILES += $(SAMPLES)

%D%/admin.conf: cli/klamm$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) %D% && cli/klamm config sample admin >$@.tmp && mv $@.tmp $@

%D%/common.conf: cli/klamm$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) %D% && cli/klamm config sample common >$@.tmp && mv $@.tmp $@

%D%/consumer.conf: cli/klamm$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) %D% && cli/klamm config sample consumer >$@.tmp && mv $@.tmp $@

%D%/producer.conf: cli/klamm$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) %D% && cli/klamm config sample producer >$@.tmp && mv $@.tmp $@
endif

dist_sampleconf_DATA += \
	%D%/client.properties \
	%D%/consumer.conf \
	%D%/demo.conf \
	%D%/producer.conf

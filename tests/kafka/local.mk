EXTRA_DIST += \
	%D%/README.md \
	%D%/iam/IamLoginModule.java \
	%D%/iam/IamTokens.java \
	%D%/iam/Signature.java \
	%D%/kafka \
	%D%/lib/config.sh \
	%D%/lib/jars.sh \
	%D%/lib/processes.sh \
	%D%/lib/secrets.sh \
	%D%/lib/tools.sh \
	%D%/pom.xml \
	%D%/smoke \
	%D%/smoke.py \
	%D%/telemetry/TelemetryReporter.java

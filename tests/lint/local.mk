# What no compiler checks: layers, exports, headers, text, plugin folders, scripts.
dist_check_SCRIPTS = \
	%D%/exports.test \
	%D%/headers.test \
	%D%/layers.test \
	%D%/options.test \
	%D%/plugins.test \
	%D%/readme.test \
	%D%/schema.test \
	%D%/scripts.test \
	%D%/text.test
TESTS += $(dist_check_SCRIPTS)
EXTRA_DIST += %D%/options.tsv %D%/tap.sh

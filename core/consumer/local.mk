libklamm_la_SOURCES +=

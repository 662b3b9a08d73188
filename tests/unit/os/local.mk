check_PROGRAMS += %D%/test_os
TESTS += %D%/test_os
%C%_test_os_CFLAGS = $(UNIT_CFLAGS)
%C%_test_os_LDADD = core/os/libsim.la $(UNIT_LIBS)
%C%_test_os_SOURCES = \
	%D%/test_real.c \
	%D%/test_real_files.c \
	%D%/test_secret.c \
	%D%/test_sim.c \
	%D%/test_sim_disk.c \
	%D%/test_sim_net.c

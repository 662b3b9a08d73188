libklamm_la_SOURCES += \
	%D%/module.c %D%/module.h \
	%D%/os.c %D%/os.h \
	%D%/real.c %D%/real_int.h \
	%D%/real_file.c %D%/real_net.c \
	%D%/secret.c %D%/secret.h

# The simulated world is for tests alone: it is no part of the library.
check_LTLIBRARIES += %D%/libsim.la
%C%_libsim_la_SOURCES = \
	%D%/sim.c %D%/sim.h %D%/sim_int.h \
	%D%/sim_chaos.c \
	%D%/sim_conn.c \
	%D%/sim_dir.c \
	%D%/sim_disk.c %D%/sim_disk.h \
	%D%/sim_fiber.c %D%/sim_fiber.h \
	%D%/sim_name.c \
	%D%/sim_node.c \
	%D%/sim_pipe.c \
	%D%/sim_poll.c \
	%D%/sim_report.c \
	%D%/sim_rule.c \
	%D%/sim_sock.c %D%/sim_sock.h \
	%D%/sim_thread.c

/*
 * command: the commands of the program chatsphere.
 *
 * argv[0] is the command's name.  Each returns the program's exit status: 0,
 * 1 where something failed, 2 where the command line is wrong.
 */

#ifndef CSA_CLI_COMMAND_H
#define CSA_CLI_COMMAND_H

#define CSA_EXIT_USAGE	2

int	csa_cmd_cache(int argc, char *argv[]);
int	csa_cmd_doctor(int argc, char *argv[]);

/* The configuration file where none was named, NULL where there is none. */
const char *csa_default_conf(void);

#endif

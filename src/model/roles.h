/*
 * roles - the roles of secregd, by their places in its role table (bin/secregd.c), and where its things are.
 *
 * engine  accepts, names the caller, decides, keeps keys, store and trail; parses no client bytes
 * front   parses hostile bytes and renders replies; holds no key, decides nothing
 * starter starts what runs on demand (proc/proc.h)
 * auth    runs the PAM stack for one login (bin/auth-pam.c)
 */
#ifndef MODEL_ROLES_H
#define MODEL_ROLES_H

enum role { ROLE_ENGINE, ROLE_FRONT, ROLE_STARTER, ROLE_AUTH };

#define PLACE_STATE "/var/lib/secreg"
#define PLACE_RUN "/run/secreg"
#define PLACE_SOCKET "/run/secreg/socket"
#define PLACE_CONF "/etc/secreg/secregd.yaml"
#define PLACE_KEY "/etc/secreg/master.key"
#define PLACE_SIGNER_NAME "trail.vkey"
#define PLACE_SIGNER "/etc/secreg/" PLACE_SIGNER_NAME
#define PLACE_DB_NAME "registry.db"

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* What to run and how to be reached. Sources, strongest first, key by key (DESIGN: contracts): words cortado.* on the kernel
 * command line; fw_cfg opt/org.cortado/config.json; /etc/cortado/app.json; defaults. The keys are the manifest's. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

enum restart_policy { RESTART_NO, RESTART_ON_FAILURE, RESTART_ALWAYS };
enum on_exit { ON_EXIT_AUTO, ON_EXIT_KEEP, ON_EXIT_POWEROFF };
enum api_access { API_NONE, API_READ_ONLY, API_FULL };

struct config {
	char *name;
	char *runtime;	   /* "java", "node", "program" */
	char **argv;	   /* what to execute; NULL-terminated */
	char **envp;
	char *cwd;
	int *ports;	   /* declared listening ports */
	int nports;
	enum restart_policy restart;
	int restart_limit; /* for ON_FAILURE; 0: no limit */
	enum on_exit on_exit;
	int api_port;
	enum api_access api_access;
	bool api_plain;	   /* the command says: user network, published on loopback only. Else the API does not listen */
	char **api_hosts;  /* names accepted in Host: besides localhost and addresses; NULL-terminated or NULL */
	json_t *resolved;  /* the merged document, for GET /v1/app */
};

/* Read all sources. Returns NULL after complaining. PATHS: app.json, config.json and the command line's file, any may be
 * absent. The result lives for ever. */
struct config *config_load(const char *app_json, const char *config_json, const char *cmdline);
/* Apply "cortado.KEY=VALUE" words of LINE to DOC (dots nest; values are JSON, or else strings). For tests. */
void config_apply_words(json_t *doc, const char *line);
/* Add "K=V" to the application's environment. False when memory is out. */
bool config_add_env(struct config *c, const char *key, const char *value);
/* Merge OVER into BASE, objects key by key. */
void config_merge(json_t *base, json_t *over);
/* Check and take DOC. NULL with the reason in ERROR. */
struct config *config_from_json(json_t *doc, char error[256]);

/* SPDX-License-Identifier: BSD-2-Clause */
/* Handlers of the REST resources, by the file that holds them. */
#pragma once

struct http_request;

/* api_openapi.c */
void api_openapi(struct http_request *r);
/* api_app.c */
void api_app(struct http_request *r);
void api_app_start(struct http_request *r);
void api_app_stop(struct http_request *r);
void api_app_restart(struct http_request *r);
/* api_logs.c */
void api_app_logs(struct http_request *r);
/* api_os.c */
void api_os(struct http_request *r);
void api_os_memory(struct http_request *r);
void api_os_threads(struct http_request *r);
void api_os_cmdline(struct http_request *r);
void api_os_dmesg(struct http_request *r);
void api_os_poweroff(struct http_request *r);
void api_os_reboot(struct http_request *r);
void api_balloon(struct http_request *r);
/* api_jvm.c */
void api_jvm(struct http_request *r);
void api_jvm_memory(struct http_request *r);
void api_jvm_gc(struct http_request *r);
void api_jvm_gc_run(struct http_request *r);
void api_jvm_threads(struct http_request *r);
/* metrics.c */
void api_metrics(struct http_request *r);

# SPDX-License-Identifier: BSD-2-Clause
"""The agent's HTTP: methods, forms, errors, limits, and the description of the interface."""
import contextlib
import http.client
import json
import re
import select
import signal
import socket
import sys

import pytest

import openapi
from conftest import DEADLINE


def test_requests_that_are_refused(agent):
    a = agent(["/bin/sleep", "60"])
    a.until(lambda app: app["pid"])
    assert a.request("GET", "/v1/app", headers={"Host": "evil.example"})[0] == 421
    status, text, _ = a.request("GET", "/v1/app", headers={"Origin": "http://evil.example"})
    assert status == 403 and json.loads(text)["code"] == "foreign_origin"
    assert a.request("GET", "/v1/app", headers={"Origin": f"http://127.0.0.1:{a.port}"})[0] == 200
    assert a.request("GET", "/nothing")[0] == 404
    status, _, headers = a.request("DELETE", "/v1/app")
    assert status == 405 and headers["Allow"] == "OPTIONS, GET, HEAD"
    assert a.request("POST", "/v1/app/stop", "{bad")[0] == 400
    assert a.request("POST", "/v1/app/stop", '{"grace_seconds": "x"}')[0] == 400
    assert a.request("POST", "/v1/app/stop", "x" * 70000)[0] == 413
    with socket.create_connection(("127.0.0.1", a.port), timeout=DEADLINE) as s:
        s.sendall(b"GARBAGE\r\n\r\n\x00\xff")
        s.shutdown(socket.SHUT_WR)
        s.recv(4096)
    assert a.json("/v1/app")["state"] in ("starting", "running")


def raw(a, head, body=b""):
    """What comes back, to the end, for a request that http.client would not send."""
    with socket.create_connection(("127.0.0.1", a.port), timeout=DEADLINE) as s:
        s.sendall(b"\r\n".join([*head, b"Connection: close", b"", body]))
        return b"".join(iter(lambda: s.recv(65536), b""))


@pytest.mark.parametrize("head,body,status", [
    ([b"GET /v1/app%00x HTTP/1.1", b"Host: localhost"], b"", 404),
    ([b"GET /v1/app/logs?stream=stdout%00 HTTP/1.1", b"Host: localhost"], b"", 400),
    ([b"GET /v1/app/logs?follow=maybe HTTP/1.1", b"Host: localhost"], b"", 400),
    ([b"GET /v1/app HTTP/1.1", b"Host: localhost", b"Host: evil.example"], b"", 400),
    ([b"POST /v1/app/stop HTTP/1.1", b"Host: localhost", b"Content-Length: 2", b"Content-Length: 3"], b"{}", 400),
    ([b"POST /v1/app/stop HTTP/1.1", b"Host: localhost", b"Content-Length: 5", b"Transfer-Encoding: chunked"], b"0\r\n\r\n", 400),
    ([b"POST /v1/app/stop HTTP/1.1", b"Host: localhost", b"Content-Length: 100000000", b"Expect: 100-continue"], b"", 413)])
def test_requests_that_mean_two_things(agent, head, body, status):
    a = agent(["/bin/sleep", "60"])
    a.until(lambda app: app["pid"])
    assert raw(a, head, body).startswith(b"HTTP/1.1 %d " % status)
    assert a.json("/v1/app")["state"] in ("starting", "running")


@pytest.mark.parametrize("request_,status,code", [
    (b"GET /v1/app BANANA\r\nHost: localhost\r\n\r\n", 400, "malformed_request"),
    (b"GET /v1/app HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n", 400, "malformed_request"),
    (b"GET /v1/app HTTP/3.0\r\nHost: localhost\r\n\r\n", 505, "version_not_supported"),
    (b"GET /" + b"a" * 40000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414, "uri_too_long"),
    (b"GET /v1/app HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 40000 + b"\r\n\r\n", 431, "headers_too_large"),
    (b"POST /v1/app/stop HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400, "malformed_request"),
    (b"GET /\xff\xfe HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 404, "not_found"),
    (b"PATCH /v1/app HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 405, "method_not_allowed")])
def test_every_error_is_a_problem(agent, request_, status, code):
    a = agent(["/bin/sleep", "60"])
    a.until(lambda app: app["pid"])
    with socket.create_connection(("127.0.0.1", a.port), timeout=DEADLINE) as s:
        s.sendall(request_)
        head, _, body = received(s).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status) and b"content-type: application/problem+json" in head.lower()
    problem = json.loads(body)
    assert problem["status"] == status and problem["code"] == code and problem["title"] and problem["detail"]


def received(s):
    """Everything until the end, also when that is a reset: the peer closed before it had read all."""
    data = b""
    try:
        while part := s.recv(65536):
            data += part
    except ConnectionResetError:
        pass
    return data


def test_methods(agent):
    a = agent(["/bin/sleep", "60"])
    a.until(lambda app: app["pid"])
    for path, allow in (("/v1/app", "OPTIONS, GET, HEAD"), ("/v1/app/stop", "OPTIONS, POST"), ("/v1/jvm/gc", "OPTIONS, GET, HEAD, POST"),
                        ("*", "OPTIONS, GET, HEAD, POST")):
        status, text, headers = a.request("OPTIONS", path)
        assert (status, text, headers["Allow"]) == (204, "", allow)
    assert a.request("OPTIONS", "/nothing")[0] == 404
    status, text, headers = a.request("HEAD", "/v1/os")
    assert (status, text) == (200, "") and headers["Content-Type"] == "application/json" and int(headers["Content-Length"]) > 0
    assert a.request("HEAD", "/v1/app/logs?follow=true")[:2] == (200, "")
    assert a.request("HEAD", "/nothing")[:2] == (404, "")


@pytest.mark.parametrize("path,accept,status", [
    ("/v1/app", "*/*", 200), ("/v1/app", "application/*;q=0.1", 200), ("/v1/app", "text/html, application/JSON", 200),
    ("/v1/app", "text/html", 406), ("/v1/app", "application/json;q=0, */*", 406), ("/v1/app", "", 200),
    ("/metrics", "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", 200),
    ("/metrics", "application/json", 406), ("/v1/app/logs", "text/*", 200)])
def test_accept(agent, path, accept, status):
    a = agent(["/bin/sleep", "60"])
    a.until(lambda app: app["pid"])
    got, text, headers = a.request("GET", path, headers={"Accept": accept})
    assert got == status
    if status == 406:
        assert json.loads(text)["code"] == "not_acceptable" and headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("headers,body,status", [
    ({"Content-Type": "application/json; charset=utf-8"}, b"{}", 202), ({"Content-Type": "application/x-www-form-urlencoded"}, b"{}", 202),
    ({"Content-Type": "text/plain"}, b"{}", 415), ({"Content-Type": "application/json", "Content-Encoding": "gzip"}, b"{}", 415),
    ({"Expect": "the-unexpected"}, b"{}", 417), ({"If-Match": '"x"'}, b"{}", 412), ({"If-Match": "*"}, b"{}", 202)])
def test_bodies_and_conditions(agent, headers, body, status):
    a = agent(["/bin/sleep", "60"])
    a.until(lambda app: app["pid"])
    got, text, _ = a.request("POST", "/v1/app/stop", body, headers)
    assert got == status
    if status >= 400:
        assert json.loads(text)["status"] == status and a.json("/v1/app")["state"] in ("starting", "running")


def test_requests_one_behind_the_other(agent):
    a = agent(["/bin/sleep", "60"])
    a.until(lambda app: app["pid"])
    with socket.create_connection(("127.0.0.1", a.port), timeout=DEADLINE) as s:
        one = b"%s HTTP/1.1\r\nHost: localhost\r\n%s\r\n"
        s.sendall(one % (b"GET /v1/os", b"") + one % (b"HEAD /v1/os", b"") + one % (b"GET /nothing", b"") +
                  one % (b"POST /v1/app/stop", b"Transfer-Encoding: chunked\r\n") + b"8\r\n{\"grace_\r\n9;x=y\r\nseconds\":\r\n2\r\n5}\r\n0\r\n\r\n" +
                  one % (b"GET /v1/app", b"Connection: close\r\n"))
        answers = received(s)
    assert [int(x[:3]) for x in answers.split(b"HTTP/1.1 ")[1:]] == [200, 200, 404, 202, 200]


def test_continue_before_the_body(agent):
    a = agent(["/bin/sleep", "60"])
    a.until(lambda app: app["pid"])
    with socket.create_connection(("127.0.0.1", a.port), timeout=DEADLINE) as s:
        s.sendall(b"POST /v1/app/stop HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n")
        assert s.recv(25, socket.MSG_WAITALL) == b"HTTP/1.1 100 Continue\r\n\r\n"
        s.sendall(b"{}")
        assert received(s).startswith(b"HTTP/1.1 202 ")


def test_followers_leave_room_for_others(agent):
    a = agent([sys.executable, "-uc", "print('a')\nimport time; time.sleep(60)"])
    a.until(lambda app: a.request("GET", "/v1/app/logs")[1])

    def follow():
        c = http.client.HTTPConnection("127.0.0.1", a.port, timeout=DEADLINE)
        c.request("GET", "/v1/app/logs?follow=true")
        r = c.getresponse()
        assert r.status == 503 or r.readline() == b"a\n"
        return c, r

    for _ in range(3):  # those that went away while nothing was logged hold nothing
        all_ = [follow() for _ in range(32)]
        assert {r.status for _, r in all_} == {200}
        refused, r = follow()
        assert r.status == 503 and json.loads(r.read())["code"] == "too_many_followers"
        assert a.json("/v1/app")["pid"]
        for c, r in all_ + [(refused, r)]:
            r.close()
            c.close()
        for _ in range(2):
            a.json("/v1/app")  # a round of the loop: the ends are seen


def test_clients_that_never_finish_keep_nobody_out(agent):
    a = agent(["/bin/sleep", "60"])
    a.until(lambda app: app["pid"])
    slow = [socket.create_connection(("127.0.0.1", a.port), timeout=DEADLINE) for _ in range(64)]
    for s in slow:
        s.sendall(b"GET /v1/app HTTP/1.1\r\nHost: localhost\r\n")
    for s in slow:  # a byte now and then is not enough
        try:
            while True:
                select.select([s], [], [], 1)[0] or s.sendall(b"x")
                if select.select([s], [], [], 0)[0]:
                    assert s.recv(1) == b""
                    break
        except ConnectionError:
            pass
    assert a.json("/v1/app")["state"] in ("starting", "running")


def test_a_full_house_that_leaves_at_once(agent):
    a = agent(["/bin/sleep", "60"])
    a.until(lambda app: app["pid"])
    crowd = [socket.create_connection(("127.0.0.1", a.port), timeout=DEADLINE) for _ in range(64)]
    for s in crowd:
        s.sendall(b"GET /v1/app HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert s.recv(9) == b"HTTP/1.1 "
    a.process.send_signal(signal.SIGSTOP)  # so that it sees all of them go in one look
    for s in crowd:
        s.close()
    a.process.send_signal(signal.SIGCONT)
    assert a.json("/v1/app")["pid"]


def test_more_clients_than_places(agent):
    """Each asks once and stays: those that are idle make room for those that wait."""
    a = agent(["/bin/sleep", "60"])
    a.until(lambda app: app["pid"])
    with contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(socket.create_connection(("127.0.0.1", a.port), timeout=DEADLINE)) for _ in range(500)]
        for s in crowd:
            s.sendall(b"GET /v1/app HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for s in crowd:
            assert s.recv(15, socket.MSG_WAITALL) == b"HTTP/1.1 200 OK"
    assert a.json("/v1/app")["pid"]


def test_openapi(agent):
    """The document against the rules of OpenAPI 3.1 that it touches."""
    a = agent(["/bin/sleep", "60"])
    a.until(lambda app: app["pid"])
    document = a.json("/openapi.json")
    assert re.fullmatch(r"3\.1\.\d+", document["openapi"]) and document["info"]["title"] and document["info"]["version"]
    ids = []
    for path, item in document["paths"].items():
        assert path.startswith("/") and item and set(item) <= {"get", "post"}
        for verb, operation in item.items():
            assert set(operation) <= {"summary", "operationId", "parameters", "requestBody", "responses"}
            ids.append(operation["operationId"])
            names = [(p["name"], p["in"]) for p in operation["parameters"]]
            assert len(set(names)) == len(names) and all(p["in"] == "query" and p["schema"]["type"] for p in operation["parameters"])
            assert "requestBody" not in operation or (verb == "post" and operation["requestBody"]["content"]["application/json"]["schema"])
            for status, response in operation["responses"].items():
                assert re.fullmatch(r"[1-5](\d\d|XX)|default", status) and response["description"] and response["content"]
            reference = operation["responses"]["default"]["content"]["application/problem+json"]["schema"]["$ref"]
            target = document
            for part in reference.removeprefix("#/").split("/"):
                target = target[part]
            assert target["type"] == "object" and set(target["required"]) <= set(target["properties"])
            if verb == "get" and path != "/v1/app/logs":  # what it says of the answer is so
                status, text, headers = a.request("GET", path)
                said = operation["responses"]["2XX" if status < 300 else "default"]["content"]
                assert headers["Content-Type"].split(";")[0] in said, path
                if status < 300 and path != "/openapi.json" and "application/json" in said:
                    assert not openapi.misfit(json.loads(text), openapi.answers(document, "get", path)), path
                elif status >= 400:
                    assert not openapi.misfit(json.loads(text), document["components"]["schemas"]["Problem"]), path
    assert len(set(ids)) == len(ids)
    assert [p["name"] for p in document["paths"]["/v1/app/logs"]["get"]["parameters"]] == ["stream", "tail", "follow"]
    for _, body in (("stop", '{"grace_seconds": 1}'), ("start", None), ("restart", "{}")):
        answer = json.loads(a.request("POST", "/v1/app/" + _, body)[1])
        assert not openapi.misfit(answer, openapi.answers(document, "post", "/v1/app/" + _)), answer
        a.until(lambda app: not openapi.misfit(app, openapi.answers(document, "get", "/v1/app")) and app["state"] in ("exited", "running"))

import { createServer } from "node:http";
import { once } from "node:events";
import { afterAll, beforeAll, expect, test } from "vitest";
import { alertsOf, readAlerts } from "./read-alerts.ts";

const alert = (alertname: string, state: string, activeAt: string): object => ({
  labels: { alertname, severity: "critical", instance: "b1" },
  annotations: { summary: `${alertname} happened`, runbook: "x.md" },
  state,
  activeAt,
  value: "1e+00",
});
const answer = JSON.stringify({
  status: "success",
  data: {
    alerts: [
      alert("HomelabDeployBuilderDown", "pending", "2026-11-29T12:00:00.123456789Z"),
      alert("DiskFull", "firing", "2026-11-29T12:00:00Z"),
      alert("HomelabDeployBugs", "firing", "2026-11-29T13:00:00Z"),
    ],
  },
});

let path = "";
let body = answer;
const server = createServer((request, response) => {
  path = request.url ?? "";
  response.end(body);
});
let url = "";
beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  url = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
});
afterAll(() => void server.close());
const never = new AbortController().signal;

test("only alerts of our rules, the firing ones first", async () => {
  expect(await readAlerts(`${url}/prometheus/`, never)).toMatchObject({
    alerts: [
      {
        name: "HomelabDeployBugs",
        severity: "critical",
        state: "firing",
        summary: "HomelabDeployBugs happened",
      },
      { name: "HomelabDeployBuilderDown", state: "pending", since: "2026-11-29T12:00:00.123456789Z" },
    ],
  });
  expect(path).toBe("/prometheus/api/v1/alerts");
  expect(await readAlerts(undefined, never)).toBeUndefined();
});

test.each([["{}"], ["<html>"], [JSON.stringify({ status: "error" })], ["x".repeat(2 * 1024 * 1024)]])(
  "what is no list of alerts is a reason, and never none: %.20s",
  async (text) => {
    body = text;
    expect(await readAlerts(url, never)).toEqual({
      url,
      reason: expect.stringMatching(/Prometheus|too long/),
    });
    expect(() => alertsOf(text)).toThrow(/./);
  },
);

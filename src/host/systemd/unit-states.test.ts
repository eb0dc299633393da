import { expect, test } from "vitest";
import { parseJobs, parseUnitStates } from "./unit-states.ts";

const shown = `Type=oneshot
Result=exit-code
NRestarts=0
Id=backup.service
ActiveState=failed
SubState=failed
TriggeredBy=backup.timer
WantedBy=multi-user.target backup.timer

Id=backup.timer
ActiveState=active
SubState=waiting
Result=success

Type=simple
Result=success
NRestarts=3
Id=web.service
Names=http.service web.service
ActiveState=activating
SubState=auto-restart
TriggeredBy=web.socket

Id=web.socket
ActiveState=inactive
SubState=dead
Result=success
`;

test("reads units, and which of them something active would start", () => {
  expect(parseUnitStates(shown)).toEqual([
    {
      name: "backup.service",
      names: ["backup.service"],
      active: "failed",
      sub: "failed",
      result: "exit-code",
      type: "oneshot",
      restarts: 0,
      isTriggered: true,
      isWanted: true,
    },
    {
      name: "backup.timer",
      names: ["backup.timer"],
      active: "active",
      sub: "waiting",
      result: "success",
      type: "",
      restarts: 0,
      isTriggered: false,
      isWanted: false,
    },
    {
      name: "web.service",
      names: ["web.service", "http.service"],
      active: "activating",
      sub: "auto-restart",
      result: "success",
      type: "simple",
      restarts: 3,
      isTriggered: false,
      isWanted: false,
    },
    {
      name: "web.socket",
      names: ["web.socket"],
      active: "inactive",
      sub: "dead",
      result: "success",
      type: "",
      restarts: 0,
      isTriggered: false,
      isWanted: false,
    },
  ]);
});

test("a block without a name, and a count that is none, are nobody's", () => {
  expect(parseUnitStates("ActiveState=active\n\nId=a.service\nNRestarts=[not set]\n")).toMatchObject([
    { name: "a.service", restarts: 0 },
  ]);
  expect(parseUnitStates("")).toEqual([]);
});

test("reads jobs", () => {
  expect(
    parseJobs("812 nginx.service start waiting\n 9 a@b.service  stop  running\nNo jobs running.\n"),
  ).toEqual([
    { id: "812", unit: "nginx.service" },
    { id: "9", unit: "a@b.service" },
  ]);
});

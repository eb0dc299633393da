import { expect, test } from "vitest";
import { bytes } from "../src/bus/server/compare-settings.ts";
import { creationConfig, consumerSettings, streamSettings } from "../src/bus/server/stream-settings.ts";
import { permissionsOf, type Role } from "../src/bus/server/permissions.ts";
import { decodeBranchNews, decodeToldFailures } from "../src/protocol/branch-news.ts";
import { decodeBuildResult, decodeHostResult } from "../src/protocol/results.ts";
import { decodeBuilderStatus } from "../src/protocol/builder-status.ts";
import { decodeEvent, EventBody, eventVersion, type BuildEvent } from "../src/protocol/events.ts";
import { logHeaders } from "../src/protocol/log-chunk.ts";
import { decodeProgress } from "../src/protocol/progress.ts";
import { decodeDeployEvent } from "../src/protocol/deploy/deploy-events.ts";
import { decodeHold, decodeHostState } from "../src/protocol/deploy/host-state.ts";
import { decodeEnvelope } from "../src/protocol/deploy/order.ts";
import {
  decodeRolloutEvent,
  haltCodes,
  RolloutEvent,
  rolloutOutcomes,
} from "../src/protocol/rollout/rollout-events.ts";
import { decodeRolloutNews } from "../src/protocol/rollout/rollout-news.ts";
import { decodeStartAnswer, decodeStartRequest } from "../src/protocol/rollout/start-request.ts";
import { BuildRequest, ControlMessage, decodeControl, decodeRequest } from "../src/protocol/request.ts";
import { streams } from "../src/protocol/subjects.ts";
import { decodeUpdateEvent, UpdateEvent } from "../src/protocol/update-events.ts";
import { buildVerdicts, hostVerdicts } from "../src/protocol/verdicts.ts";
import { wireVersion } from "../src/protocol/wire.ts";
import { codeBlocks, codeOf, readPage, sectionOf, tableRows } from "./support/documents.ts";

const page = readPage("docs/reference/protocol.md");
const examples = codeBlocks(page).filter(({ language }) => language === "json");
const firstCells = (heading: string): string[] =>
  tableRows(sectionOf(page, heading)).map(([cell]) => codeOf(cell));

const decoders: Readonly<Record<string, (bytes: Uint8Array) => object>> = {
  request: decodeRequest,
  control: decodeControl,
  event: decodeEvent,
  progress: decodeProgress,
  "builder-status": decodeBuilderStatus,
  "build-result": decodeBuildResult,
  "host-result": decodeHostResult,
  "told-failures": decodeToldFailures,
  "branch-news": decodeBranchNews,
  "rollout-news": decodeRolloutNews,
  "update-event": decodeUpdateEvent,
  "order-envelope"(stored) {
    const { v: _, ...fields } = decodeEnvelope(stored);
    return fields;
  },
  "deploy-event": decodeDeployEvent,
  "host-state": decodeHostState,
  hold: decodeHold,
  "rollout-event": decodeRolloutEvent,
  "start-request": decodeStartRequest,
  "start-answer": decodeStartAnswer,
};

test.each(examples.map(({ kind, text }, index) => [index + 1, kind, text] as const))(
  "example %i, a %s, is what this program understands, field for field",
  (_, kind, text) => {
    const { v: version, ...fields } = JSON.parse(text) as Record<string, unknown>;
    const read = decoders[kind]?.(new TextEncoder().encode(text));
    expect(read).toEqual(fields);
    const written = kind === "event" ? eventVersion(read as BuildEvent) : wireVersion;
    expect([written, undefined]).toContain(version);
  },
);

test("there is an example of every message", () => {
  expect(new Set(examples.map(({ kind }) => kind))).toEqual(new Set(Object.keys(decoders)));
});

test("every event has its section, with an example of just that event", () => {
  const types = EventBody.options.map((option) => option.entries.type.literal);
  expect(types.length).toBeGreaterThan(5);
  const shown = types.map((type) => [
    type,
    [
      ...new Set(
        codeBlocks(sectionOf(page, `\`${type}\``)).map(({ text }) => /"type": "(.+)"/.exec(text)?.[1]),
      ),
    ],
  ]);
  expect(shown).toEqual(types.map((type) => [type, [type]]));
});

test("every field of the request is described, and shown by an example", () => {
  const fields = ["v", ...Object.keys(BuildRequest.entries)];
  expect(firstCells("The request")).toEqual(fields);
  const shown = new Set(
    examples
      .filter(({ kind }) => kind === "request")
      .flatMap(({ text }) => Object.keys(JSON.parse(text) as object)),
  );
  expect(fields.filter((field) => !shown.has(field))).toEqual([]);
  expect(Object.keys(ControlMessage.entries)).toEqual(["action", "requestedBy"]);
});

test("every field of an update's event is described, and the examples show all of them", () => {
  const fields = Object.keys(UpdateEvent.entries);
  expect(firstCells("Update events")).toEqual(fields);
  const shown = examples
    .filter(({ kind }) => kind === "update-event")
    .flatMap(({ text }) => Object.keys(JSON.parse(text) as object));
  expect([...new Set(shown)].toSorted()).toEqual(["v", ...fields].toSorted());
});

test("every event of a rollout is described, with the codes and outcomes that it can have", () => {
  const types = RolloutEvent.options.map((option) => option.entries.type.literal);
  expect(firstCells("Rollouts").toSorted()).toEqual(types.toSorted());
  const section = sectionOf(page, "Rollouts");
  for (const word of [...haltCodes, ...rolloutOutcomes]) expect(section).toContain(`\`${word}\``);
});

test("every verdict is described, and no other", () => {
  expect(firstCells("Verdicts").toSorted()).toEqual([...hostVerdicts, ...buildVerdicts].toSorted());
});

test("the headers of logs are those of the program", () => {
  expect(firstCells("Logs").toSorted()).toEqual(Object.values(logHeaders).toSorted());
});

test("the streams have the subjects and limits that the table says", () => {
  const hours = (nanoseconds: number | undefined): string => `${(nanoseconds ?? 0) / 3_600_000_000_000}h`;
  const rows = tableRows(sectionOf(page, "Streams"));
  const wanted = streamSettings.map((settings) => {
    const {
      name,
      subjects = [],
      max_age,
      max_bytes,
      max_msg_size = 0,
    } = creationConfig(settings, { scale: 1, canCompress: false });
    const one = name === streams.builders ? "one per builder" : "one per host";
    const age = max_age === 0 ? one : hours(max_age);
    return [
      `\`${name}\``,
      subjects.map((subject) => `\`${subject}\``).join(", "),
      age,
      bytes(max_bytes),
      bytes(max_msg_size),
    ];
  });
  expect(rows.map((cells) => cells.map((cell) => cell.replace("until taken, ", "")))).toEqual(wanted);
});

test("the consumers are there, with their wait", () => {
  const section = sectionOf(page, "Streams");
  for (const { create } of consumerSettings) {
    expect(section).toContain(`\`${create.durable_name}\` (\`${create.filter_subject}\`)`);
    expect(create).toMatchObject({ ack_wait: 60_000_000_000, max_deliver: -1 });
  }
});

test("every role is described, and only the admin may create consumers", () => {
  const users = [
    { role: "admin" },
    { role: "operator" },
    { role: "ci" },
    { role: "updater" },
    { role: "dashboard" },
  ] as const;
  const roles: readonly Role[] = [
    "admin",
    "operator",
    "ci",
    "updater",
    "dashboard",
    "deployer",
    "builder",
    "listener",
    "local",
  ];
  expect(firstCells("Roles and rights")).toEqual(roles);
  const mayCreate = users.filter((user) =>
    permissionsOf(user).publish.some((subject) => /\$JS\.API\.(?:>|CONSUMER\.(?:>|CREATE))/.test(subject)),
  );
  expect(mayCreate.map(({ role }) => role)).toEqual(["admin"]);
});

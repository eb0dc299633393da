import { expect, test } from "vitest";
import { logHeaders, type LogChunk } from "../../protocol/log-chunk.ts";
import { parseBuildId } from "../../protocol/names.ts";
import { decodeLogChunk, encodeLogChunk } from "./log-chunk-message.ts";

const build = parseBuildId("01JD0000000000000000000000");
const chunk: LogChunk = {
  build,
  log: 3,
  index: 7,
  drvPath: `/nix/store/${"0".repeat(32)}-linux-6.18.4.drv`,
  kind: "live",
  hosts: ["servers/web01", "servers/web.example.com"],
  dropped: 2,
  text: "CC a.o\nö\n",
};
const { hosts: _, ...withoutHosts } = chunk;
const subject = `build-logs.${build}.3`;

test.each([chunk, withoutHosts, { ...chunk, machine: "ssh-ng://arm1" }])(
  "a chunk arrives as it was",
  (sent) => {
    expect(decodeLogChunk({ subject, ...encodeLogChunk(sent) })).toEqual(sent);
  },
);

test.each([
  "servers",
  "a/b,",
  "servers/web01/x",
  "*/web01",
  Array.from({ length: 9 }, () => "a/b").join(","),
])("hosts that are none (%s) are left out, and the text is kept", (hosts) => {
  const message = encodeLogChunk(chunk);
  message.headers.set(logHeaders.hosts, hosts);
  expect(decodeLogChunk({ subject, ...message })).toEqual(withoutHosts);
});

test.each(["two words", "", "x".repeat(257), "\u001b[2J"])(
  "a machine that is none (%j) is left out",
  (machine) => {
    const message = encodeLogChunk(chunk);
    message.headers.set(logHeaders.machine, machine);
    expect(decodeLogChunk({ subject, ...message })).toEqual(chunk);
  },
);

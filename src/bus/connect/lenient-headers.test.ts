import { MsgHdrsImpl } from "@nats-io/transport-node";
import fc from "fast-check";
import { expect, test } from "vitest";
import { leniently, readHeadersLeniently } from "./lenient-headers.ts";

const encoded = (text: string): Uint8Array => new TextEncoder().encode(text);
const client = MsgHdrsImpl.decode.bind(MsgHdrsImpl);
const decode = leniently(client);

test("the client throws for a name that the server takes", () => {
  expect(() => client(encoded("NATS/1.0\r\nbad key: x\r\n\r\n"))).toThrow("not a valid character");
});

test("a line that cannot be read is left out, the others and the status stay", () => {
  const headers = decode(
    encoded("NATS/1.0 503 No Responders\r\nNats-Msg-Id: 1\r\nbad key: x\r\nLast: z\r\n\r\n"),
  );
  expect([headers.code, headers.get("Nats-Msg-Id"), headers.get("Last")]).toEqual([503, "1", "z"]);
  expect(headers.keys()).toEqual(["Nats-Msg-Id", "Last"]);
});

test("whatever is in a header, nothing is thrown, and what the client can read stays the same", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.array(fc.string({ unit: "binary" })), (status, lines) => {
      const bytes = encoded([`NATS/1.0${status}`, ...lines, "", ""].join("\r\n"));
      const read = decode(bytes);
      let expected: MsgHdrsImpl | undefined;
      try {
        expected = client(bytes);
      } catch {
        return;
      }
      expect([read.code, read.toString()]).toEqual([expected.code, expected.toString()]);
    }),
  );
});

test("it is the client's own decoder after it was installed", () => {
  readHeadersLeniently();
  readHeadersLeniently();
  expect(MsgHdrsImpl.decode(encoded("NATS/1.0\r\nbad key: x\r\n\r\n")).keys()).toEqual([]);
});

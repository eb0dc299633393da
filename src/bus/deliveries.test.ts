import { expect, test } from "vitest";
import { parseAckSubject } from "./deliveries.ts";

const place = { deliveryCount: 3, sequence: 41, storedAt: new Date("2023-11-14T22:13:20.000Z") };

test.each([
  ["of servers today", "$JS.ACK.BUILD_REQUESTS.builder.3.41.7.1700000000000000000.5"],
  ["with domain and account", "$JS.ACK.hub.AbC123.BUILD_REQUESTS.builder.3.41.7.1700000000000000000.5.x9"],
])("reads the acknowledgement subject %s", (_, subject) => {
  expect(parseAckSubject(subject)).toEqual(place);
});

test.each(["", "$JS.ACK", "$JS.ACK.S.C.1.2.3.now.5", "a.b.c.d.e.f.g.1700000000000000000.i"])(
  "refuses %j",
  (subject) => {
    expect(() => parseAckSubject(subject)).toThrow(RangeError);
  },
);

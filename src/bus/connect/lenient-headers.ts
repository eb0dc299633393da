// The server stores and delivers headers as they come and looks at no name, but the client's decoder throws for a name
// such as `bad key`. It decodes in the middle of its parser: what is thrown there leaves the connection deaf until its
// pings time out, so that one message could silence whoever gets it. MsgHdrsImpl.decode and canonicalMIMEHeaderKey of
// https://github.com/nats-io/nats.js/blob/main/core/src/headers.ts
import { MsgHdrsImpl } from "@nats-io/transport-node";

type Decode = (bytes: Uint8Array) => MsgHdrsImpl;

/** A decoder that leaves out the lines for which the given one throws. */
export function leniently(decode: Decode): Decode {
  return (bytes) => {
    try {
      return decode(bytes);
    } catch {
      const [status = "", ...lines] = new TextDecoder().decode(bytes).split("\r\n");
      const block = (kept: readonly string[]): Uint8Array =>
        new TextEncoder().encode([status, ...kept, "", ""].join("\r\n"));
      const fits = (line: string): boolean => {
        try {
          return line !== "" && decode(block([line])) !== undefined;
        } catch {
          return false;
        }
      };
      return decode(block(lines.filter(fits)));
    }
  };
}

let isInstalled = false;

/** From here on every message of this process can be read, also within the client itself. */
export function readHeadersLeniently(): void {
  if (isInstalled) return;
  isInstalled = true;
  MsgHdrsImpl.decode = leniently(MsgHdrsImpl.decode.bind(MsgHdrsImpl));
}

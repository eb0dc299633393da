// The one thing that we ask of the Nix daemon by ourselves: no command of Nix registers many roots at once, and
// before they exist. Sources: Nix's worker-protocol.hh, daemon.cc and remote-store.cc, from 2.4 (protocol 1.26).
import { connect, type Socket } from "node:net";
import { HomelabError } from "../../base/errors.ts";
import { plainText } from "../../base/terminal-text.ts";

const clientMagic = 0x6e697863n;
const serverMagic = 0x6478696fn;
/** Nothing of later versions matters here. */
const ourVersion = 0x123n; // 1.35
const oldestVersion = 0x11an; // 1.26: errors with a structure
const addIndirectRoot = 12n;

/** What precedes an answer: log messages, then its start or an error. */
const message = {
  last: 0x616c7473n,
  error: 0x63787470n,
  next: 0x6f6c6d67n,
  startActivity: 0x53545254n,
  stopActivity: 0x53544f50n,
  result: 0x52534c54n,
} as const;

const timeoutMs = 30_000;
const maxStringBytes = 1024 * 1024;

/**
 * Registers links as indirect roots: while such a link points to a path in the store, now or later, the garbage
 * collector keeps that path.
 *
 * @param socketPath of the daemon, such as /nix/var/nix/daemon-socket/socket
 * @param links absolute paths of symbolic links
 * @throws HomelabError `unavailable` with code `NIX_DAEMON`
 */
export async function addIndirectRoots(
  socketPath: string,
  links: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  const socket = connect({ path: socketPath, signal, timeout: timeoutMs });
  socket.on("timeout", () => socket.destroy(new Error(`no answer in ${timeoutMs / 1000} seconds`)));
  try {
    const answers = createAnswerReader(socket);
    await shakeHands(socket, answers);
    socket.write(Buffer.concat(links.flatMap((link) => [number(addIndirectRoot), string(link)])));
    for (const _ of links) {
      await answers.skipToAnswer();
      await answers.number();
    }
  } catch (error) {
    signal.throwIfAborted();
    throw new HomelabError("unavailable", `the Nix daemon at ${socketPath} does not register GC roots`, {
      code: "NIX_DAEMON",
      hint: "see whether it runs, and whether this user is one of its allowed-users: nix store ping",
      cause: error,
    });
  } finally {
    socket.destroy();
  }
}

async function shakeHands(socket: Socket, answers: AnswerReader): Promise<void> {
  socket.write(number(clientMagic));
  if ((await answers.number()) !== serverMagic) throw new Error("it speaks another protocol");
  const theirVersion = await answers.number();
  if (theirVersion < oldestVersion) throw new Error("it is older than Nix 2.4");
  const version = theirVersion < ourVersion ? theirVersion : ourVersion;
  const noCpuAffinity = number(0n);
  const noReservedSpace = number(0n);
  socket.write(Buffer.concat([number(version), noCpuAffinity, noReservedSpace]));
  // 1.33: the version of Nix; 1.35: whether it trusts us.
  if (version >= 0x121n) await answers.string();
  if (version >= 0x123n) await answers.number();
  await answers.skipToAnswer();
}

interface AnswerReader {
  number(): Promise<bigint>;
  string(): Promise<string>;
  /** Reads past log messages. @throws the daemon's error */
  skipToAnswer(): Promise<void>;
}

function createAnswerReader(socket: Socket): AnswerReader {
  const chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let unread = Buffer.alloc(0);

  async function bytes(count: number): Promise<Buffer> {
    while (unread.byteLength < count) {
      const { done, value } = await chunks.next();
      if (done === true) throw new Error("it closed the connection");
      unread = Buffer.concat([unread, value]);
    }
    const taken = unread.subarray(0, count);
    unread = unread.subarray(count);
    return taken;
  }

  async function readNumber(): Promise<bigint> {
    return (await bytes(8)).readBigUInt64LE();
  }

  async function readString(): Promise<string> {
    const length = Number(await readNumber());
    if (length > maxStringBytes) throw new Error(`it sent a string of ${length} bytes`);
    const padded = await bytes(Math.ceil(length / 8) * 8);
    return padded.subarray(0, length).toString();
  }

  async function skipFields(): Promise<void> {
    for (let left = await readNumber(); left > 0n; left--) {
      if ((await readNumber()) === 0n) await readNumber();
      else await readString();
    }
  }

  /** Kind, level, name, text, position and traces. */
  async function readError(): Promise<Error> {
    await readString();
    await readNumber();
    await readString();
    return new Error(plainText(await readString()).trim());
  }

  async function skipToAnswer(): Promise<void> {
    for (;;) {
      const kind = await readNumber();
      if (kind === message.last) return;
      if (kind === message.error) throw await readError();
      if (kind === message.next) await readString();
      else if (kind === message.stopActivity) await readNumber();
      else if (kind === message.startActivity) {
        for (let field = 0; field < 3; field++) await readNumber();
        await readString();
        await skipFields();
        await readNumber();
      } else if (kind === message.result) {
        await readNumber();
        await readNumber();
        await skipFields();
      } else throw new Error(`it sent a message of the unknown kind ${kind}`);
    }
  }

  return { number: readNumber, string: readString, skipToAnswer };
}

function number(value: bigint): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64LE(value);
  return buffer;
}

function string(text: string): Buffer {
  const content = Buffer.from(text);
  const padding = Buffer.alloc((8 - (content.byteLength % 8)) % 8);
  return Buffer.concat([number(BigInt(content.byteLength)), content, padding]);
}

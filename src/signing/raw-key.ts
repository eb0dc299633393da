// The 32 bytes in an NKey: base 32 of a prefix, the bytes, and a checksum
// (https://docs.nats.io/using-nats/developer/connecting/nkey). The library checks it; what it keeps to itself are the
// bytes, and its own signatures take 20 ms and more each, where Node's take less than one.
import { fromPublic, fromSeed } from "@nats-io/nkeys";

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** @throws the library's error if the text is not a public key */
export function rawPublicKey(key: string): Uint8Array {
  fromPublic(key);
  return decodeBase32(key).subarray(1, 33);
}

/** @throws the library's error if the text is not a seed; the error never quotes it */
export function rawSeed(seed: string): { readonly publicKey: string; readonly raw: Uint8Array } {
  const pair = fromSeed(new TextEncoder().encode(seed));
  const publicKey = pair.getPublicKey();
  pair.clear();
  // Two bytes of prefix in a seed, one in a public key.
  return { publicKey, raw: decodeBase32(seed).subarray(2, 34) };
}

/** RFC 4648, without padding. */
function decodeBase32(text: string): Uint8Array {
  const bytes: number[] = [];
  let [buffer, bits] = [0, 0];
  for (const character of text) {
    buffer = ((buffer << 5) | alphabet.indexOf(character)) & 0xfff;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push((buffer >> bits) & 0xff);
  }
  return Uint8Array.from(bytes);
}

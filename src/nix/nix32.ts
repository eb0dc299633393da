const alphabet = "0123456789abcdfghijklmnpqrsvwxyz";

/** Nix's own base 32: other digits than RFC 4648, and the least significant bits last (libutil's printHash32). */
export function nix32(bytes: Uint8Array): string {
  const length = Math.ceil((bytes.byteLength * 8) / 5);
  const digits = Array.from({ length }, (_, index) => {
    const bit = (length - 1 - index) * 5;
    const byte = Math.floor(bit / 8);
    const pair = (bytes[byte] ?? 0) | ((bytes[byte + 1] ?? 0) << 8);
    return alphabet[(pair >> (bit % 8)) & 31];
  });
  return digits.join("");
}

/** The bytes of Nix's base 32; undefined for what `nix32` never writes of so many bytes. */
export function parseNix32(text: string, byteLength: number): Uint8Array | undefined {
  const bytes = new Uint8Array(byteLength);
  for (let index = 0; index < text.length; index++) {
    const digit = alphabet.indexOf(text.charAt(text.length - 1 - index));
    if (digit < 0) return undefined;
    const bit = index * 5;
    const byte = Math.floor(bit / 8);
    const pair = digit << (bit % 8);
    if (byte < byteLength) bytes[byte] = (bytes[byte] ?? 0) | (pair & 255);
    if (byte + 1 < byteLength) bytes[byte + 1] = (bytes[byte + 1] ?? 0) | (pair >> 8);
  }
  return nix32(bytes) === text ? bytes : undefined;
}

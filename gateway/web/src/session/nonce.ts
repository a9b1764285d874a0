// Names a message before the server has seen it: 16 letters and digits.

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

export function newNonce(): string {
  // 62 does not divide 256: the first letters are a little likelier, which harms nothing here.
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => LETTERS[byte % LETTERS.length]).join("");
}

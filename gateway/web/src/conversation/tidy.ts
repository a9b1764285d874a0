// What one wrote, as it is sent: no white space around it, and nothing that JSON has no room for.

// Half a character, as broken input makes them, is refused by strict readers of JSON; control
// characters take six bytes each, so that a message could outgrow the largest frame.
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f]/g;

export function tidy(text: string): string {
  const whole = new TextDecoder().decode(new TextEncoder().encode(text));
  return whole.replace(/\r\n?/g, "\n").replace(CONTROLS, "").trim();
}

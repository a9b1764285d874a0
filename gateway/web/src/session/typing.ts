// Tells the partner that one is writing: once when it begins, once when it stops.

const PAUSE_MS = 4_000;

export class Typing {
  #on = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly tell: (typing: boolean) => void) {}

  wrote(text: string): void {
    if (text.trim() === "") return this.stop();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.stop(), PAUSE_MS);
    if (this.#on) return;
    this.#on = true;
    this.tell(true);
  }

  stop(): void {
    clearTimeout(this.#timer);
    if (!this.#on) return;
    this.#on = false;
    this.tell(false);
  }

  /** The connection is new: the partner was told nothing on it. */
  forget(): void {
    clearTimeout(this.#timer);
    this.#on = false;
  }
}

// Drawn here, so that no font or image has to come over the wire.
import type { ComponentChildren } from "preact";

function Icon({ children, filled = false }: { children: ComponentChildren; filled?: boolean }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" fill={filled ? "currentColor" : "none"} stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round">
      {children}
    </svg>
  );
}

export const Heart = ({ filled }: { filled: boolean }) => (
  <Icon filled={filled}>
    <path d="M12 20s-7.5-4.6-7.5-10.1A4.2 4.2 0 0 1 12 7.2a4.2 4.2 0 0 1 7.5 2.7C19.5 15.4 12 20 12 20z" />
  </Icon>
);
export const Flag = () => (
  <Icon>
    <path d="M6 21V4m0 1h11l-2 4 2 4H6" />
  </Icon>
);
export const Lifebuoy = () => (
  <Icon>
    <circle cx="12" cy="12" r="9" />
    <circle cx="12" cy="12" r="3.5" />
    <path d="m5.7 5.7 3.8 3.8m5 5 3.8 3.8m0-12.6-3.8 3.8m-5 5-3.8 3.8" />
  </Icon>
);
export const Door = () => (
  <Icon>
    <path d="M14 4H6v16h8M10 12h10m-3.5-3.5L20 12l-3.5 3.5" />
  </Icon>
);
export const Arrow = () => (
  <Icon>
    <path d="M12 19V5m-6 6 6-6 6 6" />
  </Icon>
);
export const Down = () => (
  <Icon>
    <path d="M12 5v14m6-6-6 6-6-6" />
  </Icon>
);
export const Check = () => (
  <Icon>
    <path d="m5 12.5 4.5 4.5L19 7.5" />
  </Icon>
);
export const Clock = () => (
  <Icon>
    <circle cx="12" cy="12" r="8.5" />
    <path d="M12 7.5V12l3 2" />
  </Icon>
);
export const Warning = () => (
  <Icon>
    <path d="M12 4 2.8 20h18.4zM12 10v4.5m0 2.5v.01" />
  </Icon>
);

/** Two people, close to each other. */
export const Mark = () => (
  <svg class="mark" viewBox="0 0 40 28" aria-hidden="true">
    <circle class="mark-one" cx="15" cy="13" r="11" />
    <circle class="mark-two" cx="28" cy="17" r="9" />
  </svg>
);

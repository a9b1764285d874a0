// A modal question. The browser keeps the focus inside and gives it back.
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";

interface Props {
  open: boolean;
  onClose: () => void;
  title: string;
  id: string;
  children: ComponentChildren;
}

export function Dialog({ open, onClose, title, id, children }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  // The content stays until the dialog is closed: a focus that went away with it is not given back.
  const [shown, setShown] = useState(open);
  useLayoutEffect(() => {
    if (open) setShown(true);
    if (open && !dialog.current?.open) dialog.current?.showModal();
    if (!open && dialog.current?.open) dialog.current.close();
  }, [open]);
  // Escape asks first, so that what is open is known in one place only, and at once.
  const cancelled = (event: Event) => {
    event.preventDefault();
    onClose();
  };
  // Told a little later: it may be open again by then.
  const closed = () => {
    if (dialog.current?.open) return;
    setShown(false);
    onClose();
  };
  return (
    <dialog ref={dialog} aria-labelledby={id} onCancel={cancelled} onClose={closed}>
      {(open || shown) && (
        <>
          <h2 id={id}>{title}</h2>
          {children}
        </>
      )}
    </dialog>
  );
}

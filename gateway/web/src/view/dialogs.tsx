// The three questions of the room: leave, report, where is help.
import { useState } from "preact/hooks";
import type { Session } from "../session/session.ts";
import type { Settings } from "../settings.ts";
import { texts } from "../texts.ts";
import { Dialog } from "./dialog.tsx";
import { Help } from "./help.tsx";
import { SoundSwitch } from "./waiting.tsx";

export interface Asked {
  open: boolean;
  onClose: () => void;
}

export function LeaveDialog({ open, onClose, session }: Asked & { session: Session }) {
  return (
    <Dialog open={open} onClose={onClose} id="leave-title" title={texts.leave.title}>
      <p>{texts.leave.body}</p>
      <div class="actions">
        <button class="plain" autofocus onClick={onClose}>
          {texts.leave.stay}
        </button>
        <button class="strong" onClick={() => session.leave()}>
          {texts.leave.go}
        </button>
      </div>
    </Dialog>
  );
}

export function HelpDialog({ open, onClose, settings }: Asked & { settings: Settings }) {
  return (
    <Dialog open={open} onClose={onClose} id="help-dialog" title={texts.name}>
      <p>{texts.whatNot}</p>
      <Help settings={settings} id="help-in-dialog" />
      <SoundSwitch />
      <div class="actions">
        <button class="plain" onClick={onClose}>
          OK
        </button>
      </div>
    </Dialog>
  );
}

type Reason = keyof typeof texts.report.reasons;
const REASONS = Object.keys(texts.report.reasons) as Reason[];

export function ReportDialog({ open, onClose, session }: Asked & { session: Session }) {
  const [outcome, setOutcome] = useState<"open" | "sending" | "sent" | "failed">("open");
  const close = () => {
    setOutcome("open");
    onClose();
  };
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.target as HTMLFormElement);
    // The kind in English for whoever reads the reports, the details as they were written.
    const reason = [form.get("reason"), form.get("details")].filter(Boolean).join(": ");
    setOutcome("sending");
    setOutcome((await session.report(reason)) ? "sent" : "failed");
  };
  return (
    <Dialog open={open} onClose={close} id="report-title" title={texts.report.title}>
      {outcome === "sent" ? <Thanks onClose={close} /> : <ReportForm outcome={outcome} onSubmit={submit} onClose={close} />}
    </Dialog>
  );
}

function Thanks({ onClose }: { onClose: () => void }) {
  return (
    <>
      <p role="status">{texts.report.sent}</p>
      <div class="actions">
        <button class="strong" ref={(button) => button?.focus()} onClick={onClose}>
          OK
        </button>
      </div>
    </>
  );
}

interface FormProps {
  outcome: "open" | "sending" | "failed";
  onSubmit: (event: SubmitEvent) => void;
  onClose: () => void;
}

function ReportForm({ outcome, onSubmit, onClose }: FormProps) {
  const { body, why, reasons, details, cancel, send, failed } = texts.report;
  return (
    <form onSubmit={onSubmit}>
      <p>{body}</p>
      <fieldset>
        <legend>{why}</legend>
        {REASONS.map((reason) => (
          <label class="radio" key={reason}>
            <input type="radio" name="reason" value={reason} required /> <span>{reasons[reason]}</span>
          </label>
        ))}
      </fieldset>
      <label class="field">
        {details}
        <textarea name="details" rows={2} maxLength={1_000} />
      </label>
      {outcome === "failed" && (
        <p class="notice" role="alert">
          {failed}
        </p>
      )}
      <div class="actions">
        <button type="button" class="plain" onClick={onClose}>
          {cancel}
        </button>
        <button class="strong" aria-disabled={outcome === "sending"}>
          {send}
        </button>
      </div>
    </form>
  );
}

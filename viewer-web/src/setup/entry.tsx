// A labelled field of a form, with its hint and, where something is wrong with it, its error.

import type { ComponentChildren, JSX } from "preact";
import { useId } from "preact/hooks";

interface EntryProps {
  label: string;
  field: string;
  hint?: string;
  error: string | undefined;
  /** Draws the control; it takes these attributes. */
  children: (control: { id: string; "aria-describedby": string; "aria-invalid": boolean; "data-field": string }) => ComponentChildren;
}

export function Entry({ label, field, hint = "", error, children }: EntryProps): JSX.Element {
  const ids = { control: useId(), hint: useId() };
  return (
    <div class="entry">
      <label for={ids.control}>{label}</label>
      {children({ id: ids.control, "aria-describedby": ids.hint, "aria-invalid": error !== undefined, "data-field": field })}
      <p id={ids.hint} class="entry-hint" data-error={error !== undefined} data-testid={`hint-${field}`}>
        {error ?? hint}
      </p>
    </div>
  );
}

interface LineProps extends Omit<EntryProps, "children"> {
  value: string;
  type?: "text" | "password" | "number";
  placeholder?: string;
  /** Names and the like are for people; addresses must come as they are typed. */
  prose?: boolean;
  onValue: (value: string) => void;
}

/** Browsers would offer to keep the camera's password as that of this site. */
const NOT_OF_THIS_SITE = { autocomplete: "new-password" } as const;

/** An entry of one line of text. */
export function Line({ value, type = "text", placeholder, prose = false, onValue, ...entry }: LineProps): JSX.Element {
  const plain = prose ? {} : { spellcheck: false, autocapitalize: "off" as const, autocorrect: "off" };
  return (
    <Entry {...entry}>
      {(control) => (
        <input
          {...control}
          {...plain}
          {...(type === "password" ? { type: "password" as const, ...NOT_OF_THIS_SITE } : { type: "text" as const, autocomplete: "off" })}
          {...(type === "number" ? { inputMode: "decimal" as const } : {})}
          value={value}
          {...(placeholder === undefined ? {} : { placeholder })}
          onInput={({ currentTarget }) => onValue(currentTarget.value)}
        />
      )}
    </Entry>
  );
}

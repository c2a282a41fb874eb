/** Whose is it: a list of colleagues, bots and teams to give the conversation to, found by typing. */

import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Staff, State } from "../types.ts";
import { t } from "../words.ts";
import { Avatar } from "./avatar.tsx";
import { Icon } from "./icon.tsx";
import { useConsole, useDesk } from "./use.ts";
import "./picker.css";

interface Target {
  readonly assignee?: string | null;
  readonly team?: string | null;
}

interface Choice {
  readonly key: string;
  readonly section: string;
  readonly name: string;
  readonly isMe?: boolean;
  readonly picture?: string | null | undefined;
  readonly isPresent?: boolean;
  readonly isChosen: boolean;
  readonly target: Target;
}

/** A team's gift waits for whoever of the team takes it, so it leaves its assignee. */
function choicesOf(state: State, staff: Staff, present: ReadonlySet<string>, me: string): Choice[] {
  const person = (section: string) => (one: Staff["agents"][number]) => ({
    key: one.id,
    section,
    name: one.name,
    isMe: one.id === me,
    picture: one.picture,
    isPresent: present.has(one.id),
    isChosen: state.assignee === one.id,
    target: { assignee: one.id },
  });
  const mineFirst = [...staff.agents].sort((one, other) => Number(other.id === me) - Number(one.id === me));
  const nobody = { key: "nobody", section: "", name: t("Nobody"), isChosen: false, target: { assignee: null } };
  const noTeam = { key: "no team", section: t("Teams"), name: t("No team"), isChosen: false, target: { team: null } };
  return [
    ...mineFirst.map(person(t("Agents"))),
    ...staff.bots.map(person(t("Bots"))),
    ...staff.teams.map(({ id, name }) => ({
      key: id,
      section: t("Teams"),
      name,
      isChosen: state.team === id,
      target: { team: id, assignee: null },
    })),
    ...(state.team ? [noTeam] : []),
    ...(state.assignee ? [nobody] : []),
  ];
}

function Option({ choice, isActive, take }: { choice: Choice; isActive: boolean; take: () => void }) {
  const presence = choice.isPresent === undefined ? "" : choice.isPresent ? t("connected") : t("not connected");
  return (
    <li
      id={`choice-${choice.key.replace(" ", "-")}`}
      role="option"
      aria-selected={isActive}
      class={isActive ? "choice choice-active" : "choice"}
      // The field must keep the focus, or the picker would close before the click.
      onMouseDown={(event) => event.preventDefault()}
      onClick={take}
    >
      {choice.isPresent === undefined ? (
        <span class="choice-mark">
          <Icon name={choice.target.assignee === null && !choice.target.team ? "close" : "team"} />
        </span>
      ) : (
        <Avatar id={choice.key} name={choice.name} picture={choice.picture} isPresent={choice.isPresent} />
      )}
      <span class="choice-name cut" dir="auto" title={choice.name}>
        {choice.isMe ? t("{name} (you)", { name: choice.name }) : choice.name}
      </span>
      {presence && <span class={choice.isPresent ? "choice-presence" : "choice-presence choice-gone"}>{presence}</span>}
      {choice.isChosen && <Icon name="check" />}
      {choice.isChosen && <span class="unseen">{t("current")}</span>}
    </li>
  );
}

export function Picker({ state, close }: { state: State; close: (isDone: boolean) => void }) {
  const { assign } = useConsole();
  const [staff, me] = [useDesk((desk) => desk.staff), useDesk((desk) => desk.me?.agent.id ?? "")];
  const present = useDesk((desk) => desk.held.present);
  const [wanted, setWanted] = useState("");
  const [active, setActive] = useState(0);
  const field = useRef<HTMLInputElement>(null);
  const box = useRef<HTMLDivElement>(null);

  const choices = useMemo(() => {
    const all = choicesOf(state, staff, present, me);
    return all.filter(({ name }) => name.toLocaleLowerCase().includes(wanted.trim().toLocaleLowerCase()));
  }, [state, staff, present, me, wanted]);
  const current = choices[Math.min(active, choices.length - 1)];

  useLayoutEffect(() => field.current?.focus(), []); // at once: the next key is meant for the picker
  useEffect(() => box.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest" }), [active]);

  const take = (choice: Choice | undefined) => {
    if (choice && !(choice.isChosen && choice.target.team === undefined)) assign(state.id, choice.target);
    if (choice) close(true);
  };

  const onKeyDown = (event: KeyboardEvent) => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step) setActive((Math.min(active, choices.length - 1) + step + choices.length) % Math.max(1, choices.length));
    else if (event.key === "Enter") take(current);
    else if (event.key === "Escape") close(true);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  const sections = [...new Set(choices.map(({ section }) => section))];
  return (
    <div
      class="picker"
      role="dialog"
      aria-label={t("Assign to")}
      ref={box}
      onKeyDown={onKeyDown}
      onBlur={(event) => !box.current?.contains(event.relatedTarget as Node | null) && close(false)}
    >
      <input
        ref={field}
        class="field"
        type="text"
        dir="auto"
        role="combobox"
        aria-label={t("Find a colleague, bot or team")}
        aria-expanded="true"
        aria-controls="choices"
        aria-activedescendant={current && `choice-${current.key.replace(" ", "-")}`}
        placeholder={t("Find a colleague, bot or team")}
        value={wanted}
        onInput={(event) => {
          setWanted(event.currentTarget.value);
          setActive(0);
        }}
      />
      <ul id="choices" class="choices" role="listbox" aria-label={t("Assign to")}>
        {sections.map((section) => (
          <li key={section} role="presentation">
            {section && <p class="choices-title" aria-hidden="true">{section}</p>}
            <ul role="group" aria-label={section || t("Nobody")}>
              {choices
                .filter((choice) => choice.section === section)
                .map((choice) => (
                  <Option key={choice.key} choice={choice} isActive={choice === current} take={() => take(choice)} />
                ))}
            </ul>
          </li>
        ))}
      </ul>
      {!choices.length && <p class="choices-none">{t("Nobody by that name")}</p>}
    </div>
  );
}

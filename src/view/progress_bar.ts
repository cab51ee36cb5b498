/** A line that shows how far something is. Pure: time is passed in. */

/** "1:02:03", "4:05", "7 s". */
export function durationText(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const two = (value: number) => String(value).padStart(2, '0');
  const [hours, minutes, rest] = [Math.floor(whole / 3_600), Math.floor(whole / 60) % 60, whole % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

export interface ProgressState {
  /** 0 to 1; undefined where nobody knows the end. */
  share: number | undefined;
  messages: bigint;
  elapsed_s: number;
  /** What comes behind the rate, such as the event time. */
  note: string;
}

/** At most `columns` wide. */
export function progressLine({ share, messages, elapsed_s, note }: ProgressState, columns: number): string {
  const rate = elapsed_s > 0 ? Number(messages) / elapsed_s : 0;
  const count = `${messages.toLocaleString('en-US')} messages, ${Math.round(rate).toLocaleString('en-US')}/s`;
  const left = share !== undefined && share > 0 ? (elapsed_s * (1 - share)) / share : undefined;
  const tail = [
    count,
    ...(left === undefined ? [] : [`${durationText(left)} left`]),
    ...(note === '' ? [] : [note]),
  ].join(', ');
  const width = Math.min(30, columns - tail.length - 9);
  if (share === undefined || width < 5) return tail.slice(0, columns);
  const bounded = Math.min(1, Math.max(0, share));
  const full = Math.round(bounded * width);
  return `${'█'.repeat(full)}${'░'.repeat(width - full)} ${String(Math.floor(bounded * 100)).padStart(3)} % ${tail}`;
}

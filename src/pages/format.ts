import type { PageMessages } from './messages.js'

/** “5 minutes”, “90 seconds”: whole minutes where nothing is lost, rounded down otherwise. */
export function duration(messages: PageMessages, seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds))
  if (whole >= 60 && (whole % 60 === 0 || whole >= 300)) {
    return messages.minutes(Math.floor(whole / 60))
  }
  return messages.seconds(whole)
}

/** The server cannot know the clock of the person's device, so the zone is always named. */
export function clockTime(messages: PageMessages, time: Date, timeZone: string): string {
  const name = `${messages.locale} ${timeZone}`
  let format = formats.get(name)
  if (!format) {
    format = new Intl.DateTimeFormat(messages.locale, { ...CLOCK_TIME, timeZone })
    formats.set(name, format)
  }
  return format.format(time)
}

const CLOCK_TIME: Intl.DateTimeFormatOptions = {
  day: 'numeric',
  month: 'long',
  hour: '2-digit',
  minute: '2-digit',
  timeZoneName: 'short',
}

/** Making one takes longer than a page; zones are those of the configuration. */
const formats = new Map<string, Intl.DateTimeFormat>()

/** Groups of four characters that the eye can compare. */
export function groups(hex: string): string[] {
  return hex.match(/.{1,4}/gs) ?? []
}

const UNITS = ['byte', 'kilobyte', 'megabyte'] as const

/** “1.2 MB”, in the words of the language. */
export function fileSize({ locale }: Pick<PageMessages, 'locale'>, bytes: number): string {
  const power = Math.min(UNITS.length - 1, Math.floor(Math.log10(Math.max(bytes, 1)) / 3))
  return new Intl.NumberFormat(locale, {
    style: 'unit',
    unit: UNITS[power] ?? 'byte',
    unitDisplay: power === 0 ? 'long' : 'short',
    maximumFractionDigits: 1,
  }).format(bytes / 1000 ** power)
}

import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { locale, t } from './texts.js'

/** The heading of a step. Takes the focus when the step comes up, so that nobody has to look for it. */
export function StepHeading({
  children,
  takeFocus,
}: {
  children: ComponentChildren
  takeFocus: boolean
}) {
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    if (takeFocus) heading.current?.focus()
  }, [takeFocus])
  return (
    <h2 class="step-heading" tabIndex={-1} ref={heading}>
      {children}
    </h2>
  )
}

/** Groups are set apart by style alone, so that copying gives the plain value. */
export function Fingerprint({ hex }: { hex: string }) {
  return (
    <code class="fingerprint">
      {(hex.match(/.{1,4}/g) ?? []).map((group) => (
        <>
          <span>{group}</span>
          <wbr />
        </>
      ))}
    </code>
  )
}

export function CopyButton({ text, label }: { text: string; label: string }) {
  const [copied, setCopied] = useState(false)
  const copy = () => {
    navigator.clipboard.writeText(text).then(
      () => {
        setCopied(true)
        setTimeout(() => {
          setCopied(false)
        }, 2000)
      },
      () => undefined, // the text can still be selected by hand
    )
  }
  return (
    <button
      type="button"
      class="quiet"
      onClick={copy}
      aria-label={t('Copy {what}', { what: label })}
    >
      <span aria-live="polite">{copied ? t('Copied') : t('Copy')}</span>
    </button>
  )
}

export function Download({
  name,
  content,
  children,
}: {
  name: string
  content: BlobPart
  children: ComponentChildren
}) {
  const [address, setAddress] = useState<string>()
  useEffect(() => {
    const url = URL.createObjectURL(new Blob([content], { type: 'application/octet-stream' }))
    setAddress(url)
    return () => {
      URL.revokeObjectURL(url)
    }
  }, [content])
  return (
    <a class="button secondary" {...(address ? { href: address } : {})} download={name}>
      <Icon name="download" />
      {children}
    </a>
  )
}

const ICONS = {
  document: 'M6 2.5h6.5L17 7v10.5H6zM12.5 2.5V7H17',
  upload: 'M10 13V3.5M6 7.5l4-4 4 4M3.5 13v3.5h13V13',
  download: 'M10 3v9.5M6 8.5l4 4 4-4M3.5 13v3.5h13V13',
  check: 'M4 10.5l4 4 8-9',
  cross: 'M5 5l10 10M15 5L5 15',
  warning: 'M10 2.8l8 14.2H2zM10 8v4M10 14.6v.1',
  information: 'M10 2a8 8 0 1 0 0 16a8 8 0 1 0 0-16M10 9v5M10 6v.1',
  certificate: 'M3 3.5h14v9.5H3zM6 7h8M6 9.8h4M13 13v4.5l-1.8-1.2L9.5 17.5V13',
} as const

export function Icon({ name }: { name: keyof typeof ICONS }) {
  return (
    <svg class={`icon icon-${name}`} viewBox="0 0 20 20" width="20" height="20" aria-hidden="true">
      <path d={ICONS[name]} />
    </svg>
  )
}

const UNITS = ['', 'kB', 'MB'] as const

export function fileSize(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000
    unit++
  }
  const digits = unit === 0 ? 0 : 1
  const number = new Intl.NumberFormat(locale(), {
    ...{ minimumFractionDigits: digits, maximumFractionDigits: digits, useGrouping: false },
  }).format(value)
  return `${number} ${unit === 0 ? t('bytes') : (UNITS[unit] ?? '')}`
}

export function day(date: Date): string {
  return new Intl.DateTimeFormat(locale(), { dateStyle: 'long' }).format(date)
}

/** @param one and `many`: texts in English, with the number as `{count}` */
export function plural(count: number, one: string, many: string): string {
  return t(count === 1 ? one : many, { count })
}

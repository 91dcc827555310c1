import qrcode from 'qrcode-generator'

/** Modules of empty space around the code, as ISO/IEC 18004 wants. */
const QUIET_ZONE = 4

/** A QR code as one path: no image to fetch, no style and no script. Always dark on light. */
export function QrCode({ text, label }: { text: string; label: string }) {
  const code = qrcode(0, 'M')
  code.addData(text)
  code.make()
  const count = code.getModuleCount()
  const size = count + 2 * QUIET_ZONE
  const numbers = Array.from({ length: count }, (_, index) => index)
  const path = numbers.flatMap((row) =>
    numbers
      .filter((column) => code.isDark(row, column))
      .map((column) => `M${column + QUIET_ZONE} ${row + QUIET_ZONE}h1v1h-1z`),
  )
  return (
    <svg class="qr-code" viewBox={`0 0 ${size} ${size}`} role="img" aria-label={label}>
      <rect width={size} height={size} fill="#fff" />
      <path d={path.join('')} fill="#000" shape-rendering="crispEdges" />
    </svg>
  )
}

/** One entry of guests.json; the URLs are relative to it. */
export interface Guest {
  name: string;
  title: string;
  arch: string;
  kernel: string;
  initrd?: string;
  append: string;
  memory: string;
  version?: string;
  /** Of kernel and initrd together. */
  bytes?: number;
}

/** The guests stored beside this page; none when there are none. */
export async function loadGuests(): Promise<Guest[]> {
  try {
    const response = await fetch(new URL("guests/guests.json", document.baseURI));
    if (!response.ok) return [];
    const { guests } = (await response.json()) as { guests: Guest[] };
    const absolute = (name: string) => new URL(`guests/${name}`, document.baseURI).href;
    return guests.map((guest) => ({
      ...guest,
      kernel: absolute(guest.kernel),
      initrd: guest.initrd && absolute(guest.initrd),
    }));
  } catch {
    return [];
  }
}

const architectures: Record<string, string> = {
  amd64: "64-bit x86",
  x86_64: "64-bit x86",
  i386: "32-bit x86",
};

export function describe(guest: Guest): string {
  const parts = [architectures[guest.arch] ?? guest.arch];
  if (guest.version) parts.push(`Linux ${guest.version.split("-")[0]}`);
  if (guest.bytes) parts.push(`${(guest.bytes / 2 ** 20).toFixed(1)} MB`);
  return parts.join(" · ");
}

/** The few words outside the frame. The app has its own; these are here because the loader must stay small. */

export interface Words {
  readonly open: string;
  readonly close: string;
  readonly unread: string;
  readonly chat: string;
  readonly failed: string;
  readonly again: string;
}

const all: Record<string, Words> = {
  en: { open: "Open chat", close: "Close chat", unread: "unread", chat: "Chat", failed: "The chat can’t be reached right now.", again: "Try again" },
  th: { open: "เปิดแชต", close: "ปิดแชต", unread: "ยังไม่ได้อ่าน", chat: "แชต", failed: "ขณะนี้ไม่สามารถเชื่อมต่อแชตได้", again: "ลองอีกครั้ง" },
  he: { open: "פתיחת הצ׳אט", close: "סגירת הצ׳אט", unread: "שלא נקראו", chat: "צ׳אט", failed: "לא ניתן להתחבר לצ׳אט כרגע.", again: "נסו שוב" },
  tr: { open: "Sohbeti aç", close: "Sohbeti kapat", unread: "okunmamış", chat: "Sohbet", failed: "Sohbete şu anda ulaşılamıyor.", again: "Tekrar dene" },
};

/** In the first of these languages that we speak, else in English. */
export function words(...wanted: readonly string[]): Words {
  const known = wanted.map((lang) => all[lang.slice(0, 2).toLowerCase()]);
  return known.find(Boolean) ?? (all.en as Words);
}

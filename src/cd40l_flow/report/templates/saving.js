// Where a signed review goes: into a folder that is chosen once, where the browser can, else to the downloads.
const cd40lSaving = (() => {
  const canChoose = "showDirectoryPicker" in window && "indexedDB" in window;

  function handles(mode, work) {
    return new Promise((resolve, reject) => {
      const open = indexedDB.open("cd40l-flow", 1);
      open.onupgradeneeded = () => open.result.createObjectStore("handles");
      open.onerror = () => reject(open.error);
      open.onsuccess = () => {
        const request = work(open.result.transaction("handles", mode).objectStore("handles"));
        request.onsuccess = () => { resolve(request.result); open.result.close(); };
        request.onerror = () => { reject(request.error); open.result.close(); };
      };
    });
  }

  // The folder that was chosen in any report of this browser; null where there is none.
  async function folder() {
    try { return canChoose ? (await handles("readonly", (store) => store.get("reviews"))) || null : null; } catch { return null; }
  }

  async function choose() {
    const chosen = await window.showDirectoryPicker({ id: "reviews", mode: "readwrite" });
    await handles("readwrite", (store) => store.put(chosen, "reviews"));
    return chosen;
  }

  // Written, and read again: only what is found there is reported as saved.
  async function write(into, file, text) {
    if (into.requestPermission && (await into.requestPermission({ mode: "readwrite" })) !== "granted") throw new Error("refused");
    const handle = await into.getFileHandle(file, { create: true });
    const stream = await handle.createWritable();
    await stream.write(text);
    await stream.close();
    if ((await (await handle.getFile()).text()) !== text) throw new Error("differs");
  }

  function download(file, text) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    link.download = file;
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  // SHA-256 (FIPS 180-4) of a text in UTF-8, as hexadecimal digits: browsers offer theirs to secure pages only.
  function digest(text) {
    const data = new TextEncoder().encode(text), blocks = Math.ceil((data.length + 9) / 64);
    const bytes = new Uint8Array(blocks * 64), view = new DataView(bytes.buffer);
    bytes.set(data);
    bytes[data.length] = 0x80;
    view.setUint32(bytes.length - 8, Math.floor(data.length / 0x20000000));
    view.setUint32(bytes.length - 4, data.length << 3);
    const primes = [];
    for (let n = 2; primes.length < 64; n++) if (primes.every((prime) => n % prime)) primes.push(n);
    const part = (root) => ((root % 1) * 0x100000000) | 0;
    const k = primes.map((prime) => part(Math.cbrt(prime))), h = primes.slice(0, 8).map((prime) => part(Math.sqrt(prime)));
    const turn = (x, by) => (x >>> by) | (x << (32 - by)), w = new Int32Array(64);
    for (let block = 0; block < blocks; block++) {
      for (let i = 0; i < 64; i++) {
        w[i] = i < 16 ? view.getInt32(block * 64 + i * 4)
          : (w[i - 16] + (turn(w[i - 15], 7) ^ turn(w[i - 15], 18) ^ (w[i - 15] >>> 3)) + w[i - 7]
            + (turn(w[i - 2], 17) ^ turn(w[i - 2], 19) ^ (w[i - 2] >>> 10))) | 0;
      }
      let [a, b, c, d, e, f, g, last] = h;
      for (let i = 0; i < 64; i++) {
        const one = (last + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + k[i] + w[i]) | 0;
        const two = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
        [last, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + two) | 0];
      }
      [a, b, c, d, e, f, g, last].forEach((value, i) => { h[i] = (h[i] + value) | 0; });
    }
    return h.map((value) => (value >>> 0).toString(16).padStart(8, "0")).join("");
  }

  return { canChoose, folder, choose, write, download, digest };
})();

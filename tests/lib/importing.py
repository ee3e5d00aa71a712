"""What `influx -import` does with a file, by its documented rules (influxdb importer/v8): statements up to # DML, then
lines for the database and policy that the last comments named."""


def import_text(influxd, text):
    lines = iter(text.split("\n"))
    for line in lines:
        if line.startswith("# DML"):
            break
        if line.strip() and not line.startswith("#"):
            influxd.run(line)
    place, batch = {}, []

    def send():
        if batch:
            influxd.write("\n".join(batch).encode(errors="surrogateescape"), place["DATABASE"], place.get("RETENTION-POLICY", ""))
            batch.clear()

    for line in lines:
        if line.startswith("# CONTEXT-"):
            send()
            name, _, value = line.removeprefix("# CONTEXT-").partition(":")
            place[name] = value.split(":")[0].strip()
        elif line.strip() and not line.startswith("#"):
            batch.append(line)
    send()

import Foundation
import TestSupport

/// Inserts, updates and deletes without end, each of which writes itself into a journal in its own transaction; the journal is not published.
final class JournaledWork {
    private let database: PostgresDatabase
    private var writer: Child?

    static func schema(rows: Int) -> String {
        """
        create table items (id int primary key, seq bigint not null, filler text);
        create table journal (seq bigint primary key, id int not null, op char(1) not null);
        create sequence seq;
        insert into items select i, nextval('seq'), repeat('x', 100) from generate_series(1, \(rows)) i;
        create procedure work(rounds int) language plpgsql as $$
        declare s bigint; k int; dice float; done int;
        begin
            for i in 1..rounds loop
                -- One lock a transaction: the journal's order is the commit order.
                perform pg_advisory_xact_lock(1);
                for j in 1..(1 + floor(random() * 8)::int) loop
                    k := 1 + floor(random() * \(rows * 11 / 10))::int;
                    s := nextval('seq');
                    dice := random();
                    if dice < 0.15 then
                        delete from items where id = k;
                        get diagnostics done = row_count;
                        if done > 0 then insert into journal values (s, k, 'd'); end if;
                    else
                        update items set seq = s where id = k;
                        get diagnostics done = row_count;
                        if done > 0 then insert into journal values (s, k, 'u');
                        else
                            insert into items values (k, s, repeat('y', 100));
                            insert into journal values (s, k, 'c');
                        end if;
                    end if;
                end loop;
                commit;
            end loop;
        end $$;
        """
    }

    private init(_ database: PostgresDatabase, _ writer: Child) {
        self.database = database
        self.writer = writer
    }

    /// `pause`: seconds between 40 transactions each.
    static func start(on database: PostgresDatabase, pause: Double = 0) throws -> JournaledWork {
        let writer = try Subprocess.start(
            "bash", ["-c", "while psql -qXAt -v ON_ERROR_STOP=1 -c 'call work(40)' && sleep \(pause); do :; done"],
            environment: [
                "PGHOST": "127.0.0.1", "PGPORT": String(database.port), "PGUSER": "postgres", "PGPASSWORD": "postgres", "PGDATABASE": database.name,
            ])
        return JournaledWork(database, writer)
    }

    func stop() {
        guard let writer else { return }
        self.writer = nil
        kill(-writer.pid, SIGKILL)
        writer.wait()
        _ = try? database.sql("select pg_terminate_backend(pid) from pg_stat_activity where query like 'call work%'")
    }
}
